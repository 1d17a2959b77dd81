from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import SettingsInvalid
from liveness.settings import Settings, parser


def test_defaults_are_those_of_the_design() -> None:
    settings = Settings.from_args([])
    assert (settings.host, settings.port, settings.http) == ("", 5555, False)
    assert (settings.time_limit, settings.steps, settings.challenge_order) == (120, 4, "random")
    assert settings.ice_address == settings.ice_server == settings.api_key == ()
    assert settings.cors_origin == ("*",)
    assert (settings.cert_dir, settings.model_dir) == (Path("cert"), Path("model"))
    assert settings.max_sessions >= 8


def test_every_option_has_a_flag_and_a_meaning() -> None:
    help_text = parser("server.py").format_help()
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in help_text
        assert field.description


def test_flags_may_be_repeated() -> None:
    argv = ["--ice-address", "127.0.0.1", "--ice-address", "::1", "--api-key", "a,b", "--http"]
    settings = Settings.from_args(argv)
    assert settings.ice_address == ("127.0.0.1", "::1")
    assert settings.api_key == ("a,b",)
    assert settings.http


def test_a_flag_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVENESS_PORT", "1")
    monkeypatch.setenv("LIVENESS_HTTP", "true")
    monkeypatch.setenv("LIVENESS_CORS_ORIGIN", "https://a.example, https://b.example")
    monkeypatch.setenv("LIVENESS_TIME_LIMIT", "")
    settings = Settings.from_args(["--port", "2", "--no-http"])
    assert (settings.port, settings.http, settings.time_limit) == (2, False, 120)
    assert settings.cors_origin == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "70000"),
        ("--port", "x"),
        ("--time-limit", "0"),
        ("--time-limit", "nan"),
        ("--steps", "9"),
        ("--max-sessions", "0"),
        ("--ice-address", "localhost"),
        ("--ice-server", "http://example.net"),
        ("--ice-server", "turn:example.net"),
        ("--ice-server", "stun:user:secret@example.net"),
        ("--cors-origin", "example.net"),
        ("--cors-origin", "https://example.net/path"),
    ],
)
def test_bad_values_are_named(flag: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_args([flag, value])
    assert caught.value.detail.startswith(f"{flag}: ")
    assert "secret" not in caught.value.detail


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVENESS_STEPS", "many")
    with pytest.raises(SettingsInvalid, match="LIVENESS_STEPS: "):
        Settings.from_args([])


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings.from_args(["--api-key", "secret"]))


def test_an_unknown_flag_ends_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Settings.from_args(["--prot", "1"])
    assert caught.value.code == 2
    assert "--prot" in capsys.readouterr().err


@given(st.lists(st.text(max_size=8), max_size=4))
def test_arguments_give_settings_or_words(argv: list[str]) -> None:
    with suppress(SettingsInvalid, SystemExit):
        assert Settings.from_args(argv)
