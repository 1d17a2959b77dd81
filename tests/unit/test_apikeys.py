from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from liveness.apikeys import ApiKey, ApiKeys, read_key_file
from liveness.errors import SettingsInvalid

LONG = "k" * 43


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str, mode: int = 0o600) -> Path:
        path = tmp_path / "keys"
        path.write_bytes(content.encode())
        path.chmod(mode)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        (f"bank:{LONG}", "bank", LONG),
        (LONG, "default", LONG),
        ("bank:a:b", "bank", "a:b"),
        (":colon", "default", ":colon"),
        ("no name:x", "default", "no name:x"),
    ],
)
def test_a_key_has_a_name(text: str, name: str, key: str) -> None:
    keys = ApiKeys([ApiKey.parse(text)])
    assert keys.name_of(key) == name
    assert keys.name_of(text) == (name if text == key else None)
    assert keys.name_of("") is None


@pytest.mark.parametrize("text", ["", "bank:", " secret", "bank: secret", "sécret", "a\nsecret"])
def test_what_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="NAME:KEY") as caught:
        ApiKey.parse(text)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=12))
def test_every_text_is_a_key_or_none(text: str) -> None:
    try:
        key = ApiKey.parse(text)
    except ValueError:
        return
    own = text.removeprefix(f"{key.name}:")
    assert ApiKeys([key]).name_of(own) == key.name


def test_a_name_may_have_several_keys() -> None:
    keys = ApiKeys(map(ApiKey.parse, [f"bank:old{LONG}", f"bank:new{LONG}", f"shop:{LONG}"]))
    assert {keys.name_of(f"{age}{LONG}") for age in ("old", "new")} == {"bank"}
    assert keys.name_of(LONG) == "shop"
    assert keys
    assert not ApiKeys([])


def test_a_key_with_two_names_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="two names"):
        ApiKeys([ApiKey.parse(f"bank:{LONG}"), ApiKey.parse(f"shop:{LONG}")])


def test_short_keys_are_told() -> None:
    with capture_logs() as logs:
        ApiKeys([ApiKey.parse("bank:secret"), ApiKey.parse(LONG)])
    assert [each["name"] for each in logs] == ["bank"]
    assert "secret" not in str(logs)


def test_a_file_has_one_key_a_line(key_file: Callable[..., Path]) -> None:
    path = key_file(f"# our parties\n\nbank:{LONG}\r\n  shop:other{LONG}  \n", 0o640)
    keys = ApiKeys(read_key_file(path))
    assert keys.name_of(LONG) == "bank"
    assert keys.name_of(f"other{LONG}") == "shop"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (f"bank:{LONG}", 0o644, "open to everybody"),
        ("# none yet\n", 0o600, "holds no key"),
        (f"{LONG}\nbank:\n", 0o600, ":2: a key is"),
        ("bank:geheimnüs", 0o600, "not ASCII"),
    ],
)
def test_a_file_that_cannot_be_used(
    key_file: Callable[..., Path], content: str, mode: int, words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        read_key_file(key_file(content, mode))


def test_a_missing_file_leaves_no_server_open(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="No such file"):
        read_key_file(tmp_path / "none")
