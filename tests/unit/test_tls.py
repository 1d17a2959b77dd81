import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from liveness import tls
from liveness.errors import CertificateError
from liveness.tls import LIFETIME, RENEWAL, host_names, needs_renewal, server_context

NOW = datetime.now(UTC)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    server_context(tmp_path / "cert")
    return tmp_path / "cert" / "cert.pem", tmp_path / "cert" / "key.pem"


def test_it_is_valid_for_this_machine(pair: tuple[Path, Path]) -> None:
    certificate = x509.load_pem_x509_certificate(pair[0].read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert set(host_names()) == set(names.get_values_for_type(x509.DNSName))
    addresses = names.get_values_for_type(x509.IPAddress)
    assert {IPv4Address("127.0.0.1"), IPv6Address("::1")} <= set(addresses)
    assert certificate.not_valid_after_utc - NOW < timedelta(days=398)


def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        server_context(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


def test_it_is_kept_while_it_is_good(pair: tuple[Path, Path]) -> None:
    before = pair[0].read_bytes(), pair[1].read_bytes()
    assert isinstance(server_context(pair[0].parent), ssl.SSLContext)
    assert (pair[0].read_bytes(), pair[1].read_bytes()) == before


def test_it_is_renewed_in_time(pair: tuple[Path, Path]) -> None:
    assert not needs_renewal(*pair, NOW)
    assert not needs_renewal(*pair, NOW + LIFETIME - RENEWAL - timedelta(hours=1))
    assert needs_renewal(*pair, NOW + LIFETIME - RENEWAL + timedelta(hours=1))
    assert needs_renewal(*pair, NOW + LIFETIME + timedelta(days=1))


def test_it_is_renewed_when_the_machine_has_another_address(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pair[1].read_bytes()
    new = ip_address("192.0.2.7")
    monkeypatch.setattr(tls, "network_addresses", lambda: [new])
    assert needs_renewal(*pair, NOW)
    server_context(pair[0].parent)
    assert not needs_renewal(*pair, NOW)
    names = x509.load_pem_x509_certificate(pair[0].read_bytes()).extensions
    listed = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert new in listed.get_values_for_type(x509.IPAddress)
    assert pair[1].read_bytes() == key
    monkeypatch.setattr(tls, "network_addresses", list)
    assert not needs_renewal(*pair, NOW), "an address less is no reason"


def test_it_is_renewed_when_the_machine_has_another_name(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "host_names", lambda: ["localhost", "new.example"])
    assert needs_renewal(*pair, NOW)


@pytest.mark.parametrize("lost", [0, 1])
def test_what_is_lost_is_made_anew(pair: tuple[Path, Path], lost: int) -> None:
    pair[lost].unlink()
    server_context(pair[0].parent)
    assert not needs_renewal(*pair, NOW)


def test_a_key_of_another_certificate_gets_its_own(pair: tuple[Path, Path], tmp_path: Path) -> None:
    server_context(tmp_path / "other")
    other = (tmp_path / "other" / "key.pem").read_bytes()
    pair[1].write_bytes(other)
    assert needs_renewal(*pair, NOW)
    server_context(pair[0].parent)
    assert pair[1].read_bytes() == other


def operators_pair(folder: Path, now: datetime, password: bytes | None = None) -> None:
    """What an operator may bring: self-signed as well, and for another machine."""
    secret = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liveness")])
    issued = (
        x509.CertificateBuilder(name, name, secret.public_key(), 1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now)
        .sign(secret, hashes.SHA256())
    )
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(issued.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("expired", [False, True])
def test_an_operators_certificate_is_left_alone(tmp_path: Path, *, expired: bool) -> None:
    operators_pair(tmp_path, NOW + timedelta(days=-1 if expired else 1))
    before = contents(tmp_path)
    assert isinstance(server_context(tmp_path), ssl.SSLContext)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("trouble", ["encrypted", "damaged", "no key", "no certificate"])
def test_what_cannot_be_used_is_told_and_left_alone(tmp_path: Path, trouble: str) -> None:
    operators_pair(tmp_path, NOW, b"secret" if trouble == "encrypted" else None)
    if trouble == "damaged":
        (tmp_path / "cert.pem").write_text("damaged")
    if trouble == "no key":
        (tmp_path / "key.pem").unlink()
    if trouble == "no certificate":
        (tmp_path / "cert.pem").unlink()
    before = contents(tmp_path)
    with pytest.raises(CertificateError, match=r"cert\.pem and .*key\.pem"):
        server_context(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_damaged_pair_of_our_own_is_told(pair: tuple[Path, Path], damaged: int) -> None:
    pair[damaged].write_text("damaged")
    with pytest.raises(CertificateError, match="Without them new ones are made"):
        server_context(pair[0].parent)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match="file"):
        server_context(tmp_path / "file" / "cert")
