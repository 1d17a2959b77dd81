import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from liveness.__main__ import main
from liveness.errors import KeyUnusable
from liveness.keys import KeyFolder, PublicKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRIVATE = Path("keys") / "signing.pem"

STARTS_AT_ONCE = """
import sys
from pathlib import Path
from liveness.keys import KeyFolder
sys.stdin.readline()
print(KeyFolder(Path(sys.argv[1])).signing_key().kid)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    data = tmp_path / "some" / "data"
    before = os.umask(0)
    try:
        made = KeyFolder(data).signing_key()
    finally:
        os.umask(before)
    assert KeyFolder(data).signing_key().kid == made.kid
    assert (mode(data), mode(data / "keys"), mode(data / PRIVATE)) == (0o700, 0o700, 0o600)
    assert [each.name for each in (data / "keys").iterdir()] == ["signing.pem"]


def test_processes_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_AT_ONCE, str(tmp_path)]
    processes = [
        subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:  # they wait for it, ready to go
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    kids = {process.communicate(timeout=60)[0] for process in processes}
    assert kids == {KeyFolder(tmp_path).signing_key().kid + "\n"}


def test_rotation_erases_the_private_key_and_keeps_the_public_one(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    old = folder.signing_key()
    folder.publish(PublicKey(jwk=old.jwk, expires=NOW + timedelta(hours=1)))
    new = folder.rotate(NOW)
    assert new.kid != old.kid
    assert folder.signing_key().kid == new.kid
    secret = old.private.private_bytes_raw()
    for path in (tmp_path / "keys").iterdir():
        content = path.read_bytes()
        assert secret not in content
        if path.suffix == ".pem":
            kept = serialization.load_pem_private_key(content, None)
            assert kept.public_key() == new.private.public_key()
    assert [each.kid for each in folder.published(NOW)] == [old.kid]


def test_rotation_forgets_what_has_expired_and_ends_what_is_revoked(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    first = PublicKey(jwk=folder.signing_key().jwk, expires=NOW)
    folder.publish(first)
    second = PublicKey(jwk=folder.rotate(NOW).jwk, expires=NOW + timedelta(hours=1))
    assert folder.listed() == []
    folder.publish(second)
    folder.rotate(NOW, revoke=True)
    assert folder.published(NOW) == []
    assert [(key.kid, key.expires) for key in folder.listed()] == [(second.kid, NOW)]


def test_a_public_key_is_published_until_it_expires(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    assert folder.published(NOW) == []
    key = PublicKey(jwk=folder.signing_key().jwk, expires=NOW)
    folder.publish(key)
    assert folder.published(NOW) == []
    longer = key.model_copy(update={"expires": NOW + timedelta(hours=1)})
    folder.publish(longer)
    assert folder.published(NOW) == [longer]
    assert mode(tmp_path / "keys" / f"{key.kid}.json") == 0o600


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    KeyFolder(tmp_path).signing_key()
    for open_mode in (0o604, 0o644, 0o602):
        (tmp_path / PRIVATE).chmod(open_mode)
        with pytest.raises(KeyUnusable, match=f"mode {open_mode:o}"):
            KeyFolder(tmp_path).signing_key()


def test_a_key_that_a_group_can_read_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = KeyFolder(tmp_path).signing_key()
    (tmp_path / PRIVATE).chmod(0o660)
    assert KeyFolder(tmp_path).signing_key().kid == made.kid
    assert "open to a group" in capsys.readouterr().out


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signing.pem.new").write_bytes(b"half")
    key = KeyFolder(tmp_path).signing_key()
    KeyFolder(tmp_path).publish(PublicKey(jwk=key.jwk, expires=NOW))
    assert {path.suffix for path in (tmp_path / "keys").iterdir()} == {".pem", ".json"}


@pytest.mark.parametrize("content", [b"", b"secret", b"-----BEGIN PRIVATE KEY-----\nsecret"])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    KeyFolder(tmp_path).signing_key()
    (tmp_path / PRIVATE).write_bytes(content)
    with pytest.raises(KeyUnusable) as caught:
        KeyFolder(tmp_path).signing_key()
    assert "secret" not in caught.value.detail
    assert caught.value.__cause__ is None


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    KeyFolder(tmp_path).signing_key()
    (tmp_path / PRIVATE).write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(KeyUnusable, match="Ed25519"):
        KeyFolder(tmp_path).signing_key()


def test_a_damaged_public_key_is_named(tmp_path: Path) -> None:
    KeyFolder(tmp_path).signing_key()
    (tmp_path / "keys" / "x.json").write_text("{")
    with pytest.raises(KeyUnusable, match="public key"):
        KeyFolder(tmp_path).published(NOW)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyUnusable, match="file"):
        KeyFolder(tmp_path / "file").signing_key()


def test_the_command_rotates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = KeyFolder(tmp_path).signing_key()
    assert main(["rotate-key", "--data-dir", str(tmp_path)]) == 0
    new = KeyFolder(tmp_path).signing_key()
    assert new.kid != old.kid
    assert new.kid in capsys.readouterr().out
    (tmp_path / "file").touch()
    assert main(["rotate-key", "--data-dir", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_the_command_rotates_only_what_a_server_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--revoke"]):
        assert main(["rotate-key", "--data-dir", str(tmp_path / "other"), *more]) == 1
        assert capsys.readouterr().err.startswith(f"error: No key is kept in {tmp_path}/other/keys")
    assert not list(tmp_path.iterdir())
