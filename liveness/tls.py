"""The self-signed certificate that lets a phone on the same network use its camera."""

import os
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from liveness.errors import CertificateError

CERTIFICATE_FILE = "cert.pem"
KEY_FILE = "key.pem"

LIFETIME = timedelta(days=365)
"""Below the 398 days that browsers take."""

RENEWAL = timedelta(days=30)
"""How long before its end a certificate is replaced."""

BACKDATE = timedelta(days=1)
"""For clients whose clock is behind."""

Address = IPv4Address | IPv6Address


def server_context(cert_dir: Path) -> ssl.SSLContext:
    """Take the certificate in `cert_dir`, or make one; raises `CertificateError`."""
    certificate, key = cert_dir / CERTIFICATE_FILE, cert_dir / KEY_FILE
    try:
        if needs_renewal(certificate, key, datetime.now(UTC)):
            _make(certificate, key, datetime.now(UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{cert_dir}: {error}") from error
    return context


def needs_renewal(certificate: Path, key: Path, now: datetime) -> bool:
    """Tell whether a pair is missing, or our own and about to expire or unreadable.

    A certificate that somebody else issued is theirs to renew.
    """
    if not certificate.exists() or not key.exists():
        return True
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        public = found.public_key()
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError):
        return True
    if found.issuer != found.subject:
        return False
    return found.not_valid_after_utc - RENEWAL <= now or private.public_key() != public


def _make(certificate: Path, key: Path, now: datetime) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    issued = issue(secret, host_names(), local_addresses(), now)
    certificate.parent.mkdir(parents=True, exist_ok=True)
    _replace(
        key,
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        0o600,
    )
    _replace(certificate, issued.public_bytes(serialization.Encoding.PEM), 0o644)


def issue(
    secret: ec.EllipticCurvePrivateKey,
    names: Iterable[str],
    addresses: Iterable[Address],
    now: datetime,
) -> x509.Certificate:
    """Sign a certificate with its own key, valid for these names and addresses."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liveness")])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(address) for address in addresses]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(secret, hashes.SHA256())
    )


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is never there half, nor readable for more people than `mode` says."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def host_names() -> list[str]:
    """Names that this machine goes by, as far as a certificate can hold them."""
    host = socket.gethostname()
    names = ["localhost", host, f"{host.removesuffix('.local')}.local"]
    return [name for name in dict.fromkeys(names) if name.isascii() and name]


def local_addresses() -> list[Address]:
    """Every address of this machine, loopback first; link-local IPv6 ones need a zone to work."""
    found = [IPv4Address("127.0.0.1"), IPv6Address("::1"), *network_addresses()]
    return list(dict.fromkeys(found))


def network_addresses() -> list[Address]:
    """Addresses at which others on the network can reach this machine."""
    addresses = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    found = (ip_address(ip if isinstance(ip, str) else ip[0]) for ip in addresses)
    return [each for each in found if not each.is_loopback and not each.is_link_local]
