import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from cryptography import x509

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


@pytest.mark.parametrize("damaged", [0, 1])
def test_what_cannot_be_read_is_made_anew(pair: tuple[Path, Path], damaged: int) -> None:
    pair[damaged].write_text("damaged")
    server_context(pair[0].parent)
    assert not needs_renewal(*pair, NOW)
    pair[damaged].unlink()
    server_context(pair[0].parent)
    assert not needs_renewal(*pair, NOW)


def test_a_key_of_another_certificate_is_replaced(pair: tuple[Path, Path], tmp_path: Path) -> None:
    server_context(tmp_path / "other")
    pair[1].write_bytes((tmp_path / "other" / "key.pem").read_bytes())
    assert needs_renewal(*pair, NOW)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match="file"):
        server_context(tmp_path / "file" / "cert")
