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
from cryptography.exceptions import UnsupportedAlgorithm
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

_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COMMON_NAME, "liveness"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Made by this liveness server for itself"),
    ]
)
"""Subject and issuer of what is made here; whatever carries another one is somebody else's."""


def server_context(cert_dir: Path) -> ssl.SSLContext:
    """Take the certificate in `cert_dir`, or make one; raises `CertificateError`.

    Only a certificate that was made here is ever replaced, and no key: the rest is the operator's.
    """
    certificate, key = cert_dir / CERTIFICATE_FILE, cert_dir / KEY_FILE
    try:
        if needs_renewal(certificate, key, datetime.now(UTC)):
            _make(certificate, key, datetime.now(UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key, _no_password)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        names = f"{certificate} and {key}"
        raise CertificateError(f"{names}: {error}. Without them new ones are made") from error
    return context


def _no_password() -> str:
    """Keep OpenSSL from asking on the terminal."""
    raise ValueError("the key is encrypted")


def needs_renewal(certificate: Path, key: Path, now: datetime) -> bool:
    """Tell whether there is no certificate, or one of our own that is no good any more.

    That is one that is about to expire, that is another key's, or that lacks an address or a name
    by which this machine goes now. Raises as `_read_key`.
    """
    if not certificate.exists():
        return True
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    if not found.subject == found.issuer == _NAME:
        return False
    if found.not_valid_after_utc - RENEWAL <= now or not key.exists():
        return True
    return _read_key(key).public_key() != found.public_key() or not _is_for_this_machine(found)


def _is_for_this_machine(certificate: x509.Certificate) -> bool:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.IPAddress)}
    return known.issuperset([*host_names(), *local_addresses()])


def _make(certificate: Path, key: Path, now: datetime) -> None:
    certificate.parent.mkdir(parents=True, exist_ok=True)
    if not key.exists():
        secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _replace(key, secret, 0o600)
    issued = issue(_read_key(key), host_names(), local_addresses(), now)
    _replace(certificate, issued.public_bytes(serialization.Encoding.PEM), 0o644)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a key of our own; raises `OSError`, and cryptography's three for one that is not."""
    found = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path.name} is no key that was made here")
    return found


def issue(
    secret: ec.EllipticCurvePrivateKey,
    names: Iterable[str],
    addresses: Iterable[Address],
    now: datetime,
) -> x509.Certificate:
    """Sign a certificate with its own key, valid for these names and addresses."""
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(address) for address in addresses]
    return (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
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
