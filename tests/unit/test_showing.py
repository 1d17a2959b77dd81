from pathlib import Path

import pytest

from liveness.serve import main
from liveness.settings import Settings
from liveness.showing import hide_secrets, shown

SECRETS = [
    *("--api-key", "bank:hushed-and-long-enough", "--store", "redis://me:hushed@host:6379/1"),
    *("--ice-server", "turn:me:hushed@turn.example", "--ice-server", "turn:other.example"),
    *("--turn-secret", "hushed", "--model-url", "https://me:hushed@host/x.bz2?token=hushed"),
]


def test_every_option_is_shown_and_no_secret() -> None:
    lines = shown(Settings.from_args(SECRETS))
    for name in set(Settings.model_fields) - {"show_settings"}:
        assert any(line.startswith(f"--{name.replace('_', '-')} ") for line in lines)
    text = "\n".join(lines)
    assert "hushed" not in text
    for kept in (
        "bank:***",
        "redis://me:***@host:6379/1",
        "turn:me:***@turn.example",
        "turn:other",
        "https://me:***@host/x.bz2?***",
    ):
        assert kept in text


def test_what_was_set_is_told_from_defaults() -> None:
    lines = {line.split()[0]: line for line in shown(Settings(port=1, data_dir=Path("here")))}
    assert lines["--port"].endswith(" 1")
    assert lines["--data-dir"].endswith(" here")
    assert lines["--http"].endswith("(default)")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("redis://:a@b:c@host", "redis://:***@host"),
        ("redis://:a?b#c@host", "redis://:***@host"),
        ("https://host/x?token=a:b@c", "https://host/x?***"),
        ("turn:host?transport=udp", "turn:host?transport=udp"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("turn:me:wo:rd@host:3478", "turn:me:***@host:3478"),
        ("sqlite:data/x.db", "sqlite:data/x.db"),
    ],
)
def test_passwords_are_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


def test_the_flag_prints_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SECRETS, "--show-settings"]) == 0
    assert "hushed" not in capsys.readouterr().out
