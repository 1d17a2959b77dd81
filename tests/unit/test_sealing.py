import base64
import stat
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import PictureSealed, SealUnusable, SettingsInvalid
from liveness.sealing import Sealing
from liveness.settings import Settings

ONE, OTHER = (base64.b64encode(bytes([each]) * 32).decode() for each in (1, 2))


@given(st.binary())
def test_what_is_sealed_can_be_opened_and_not_read(picture: bytes) -> None:
    sealing = Sealing.of_text(ONE)
    sealed = sealing.seal(picture, "a", "reference")
    assert sealing.open(sealed, "a", "reference") == picture
    assert len(picture) < 4 or picture not in sealed
    assert sealing.seal(picture, "a", "reference") != sealed


@given(st.integers(0, 1000), st.integers(1, 255))
def test_what_was_altered_is_not_opened(place: int, change: int) -> None:
    sealing = Sealing.of_text(ONE)
    sealed = bytearray(sealing.seal(b"picture", "a", "reference"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(PictureSealed):
        sealing.open(bytes(sealed), "a", "reference")


@pytest.mark.parametrize(("session", "name"), [("b", "reference"), ("a", "1-front")])
def test_what_was_moved_is_not_opened(session: str, name: str) -> None:
    sealing = Sealing.of_text(ONE)
    with pytest.raises(PictureSealed):
        sealing.open(sealing.seal(b"picture", "a", "reference"), session, name)
    for sealed in (b"", b"short", bytes(12)):
        with pytest.raises(PictureSealed):
            sealing.open(sealed, "a", "reference")


def test_a_new_key_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{ONE}\n{OTHER}\n")
    path.chmod(0o600)
    both = Sealing.of_file(path)
    assert both.open(Sealing.of_text(OTHER).seal(b"old", "a", "x"), "a", "x") == b"old"
    assert Sealing.of_text(ONE).open(both.seal(b"new", "a", "x"), "a", "x") == b"new"
    with pytest.raises(PictureSealed):
        Sealing.of_text(OTHER).open(both.seal(b"new", "a", "x"), "a", "x")


def test_a_key_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    assert Sealing.of_folder(tmp_path, make=False) is None
    assert list(tmp_path.iterdir()) == []
    with ThreadPool(8) as pool:
        made = pool.map(lambda _: Sealing.of_folder(tmp_path, make=True), range(8))
    sealed = [each.seal(b"picture", "a", "x") for each in made if each]
    again = Sealing.of_folder(tmp_path, make=False)
    assert again is not None
    assert [again.open(each, "a", "x") for each in sealed] == [b"picture"] * 8
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_keys_that_cannot_be_used_are_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(SealUnusable, match="No such file"):
        Sealing.of_file(path)
    for text in ("", "\n", "c2hvcnQ=", ONE + "\nno key", "ä" * 43):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(SealUnusable) as refused:
            Sealing.of_file(path)
        assert "c2hvcnQ" not in str(refused.value)
    path.write_text(ONE)
    path.chmod(0o644)
    with pytest.raises(SealUnusable, match="chmod 600"):
        Sealing.of_file(path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SealUnusable):
        Sealing.of_folder(blocked, make=True)


def test_servers_that_share_redis_need_a_key_that_all_have() -> None:
    shared = ["--keep-evidence", "--store", "redis://127.0.0.1"]
    with pytest.raises(SettingsInvalid, match="need one --evidence-key"):
        Settings.from_args(shared)
    assert Settings.from_args([*shared, "--evidence-key", ONE]).keep_evidence
    with pytest.raises(SettingsInvalid, match="is given as well"):
        Settings.from_args(["--evidence-key", ONE, "--evidence-key-file", "x"])
