import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.apikeys import ApiKey
from liveness.cores import cores
from liveness.errors import SettingsInvalid
from liveness.flags import GROUPS, parser
from liveness.serve import main
from liveness.settings import Settings


def test_defaults_are_those_of_the_design() -> None:
    settings = Settings.from_args([])
    assert (settings.host, settings.port, settings.http) == ("", 5555, False)
    assert (settings.time_limit, settings.steps, settings.challenge_order) == (120, 4, "random")
    assert settings.ice_address == settings.ice_server == ()
    assert settings.api_key == ()
    assert settings.frame_origin == ()
    assert settings.cors_origin == ("*",)
    assert (settings.cert_dir, settings.model_dir) == (Path("cert"), Path("model"))
    assert settings.max_sessions >= 8
    assert (settings.store, settings.data_dir, settings.retention) == (
        "sqlite",
        Path("data"),
        86400,
    )


def test_there_is_one_process_for_each_core_unless_only_one_can_be() -> None:
    assert Settings().processes == cores()
    assert Settings(store="memory").processes == 1
    assert Settings(workers=7).processes == 7
    assert Settings(store="memory", workers=1).processes == 1
    with pytest.raises(SettingsInvalid, match="--workers: with --store memory"):
        Settings.from_args(["--workers", "2", "--store", "memory"])


def test_every_option_has_a_flag_and_a_meaning() -> None:
    help_text = parser(Settings, "server.py").format_help()
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in help_text
        assert field.description
    titles = re.findall(r"^(\S.*):$", help_text, re.MULTILINE)
    assert titles[0] == "options"
    assert titles[1:] == list(GROUPS.values())


def test_flags_may_be_repeated() -> None:
    argv = ["--ice-address", "127.0.0.1", "--ice-address", "::1", "--api-key", "a,b", "--http"]
    settings = Settings.from_args(argv)
    assert settings.ice_address == ("127.0.0.1", "::1")
    assert settings.api_key == (ApiKey.parse("a,b"),)
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
        ("--ice-server", "stun:user:secret@example.net"),
        ("--cors-origin", "example.net"),
        ("--store", "redis://:secret@host/name"),
        ("--retention", "0"),
        ("--workers", "0"),
        ("--node-url", "10.0.0.7:5555"),
        ("--node-url", "http://user:secret@host"),
        ("--node-url", "http://host/path"),
        ("--cors-origin", "https://example.net/path"),
        *(("--udp-ports", span) for span in ("40000", "999-2000", "50000-40000", "40000-70000")),
        *(("--public-ip", address) for address in ("example.net", "::", "ff02::1")),
        ("--api-key", "bank:"),
        ("--api-key", " secret"),
        ("--frame-origin", "*"),
        ("--frame-origin", "https://bank.example; script-src *"),
        ("--frame-origin", "https://bank.example:99999"),
        ("--trusted-proxy", "proxy.example"),
        ("--rate-per-key", "-1"),
        ("--subject-failures", "0"),
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


def test_variables_that_are_no_options_are_told_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVENESS_API_KEYS", "bank:hushed")
    monkeypatch.setenv("liveness_stpes", "6")
    monkeypatch.setenv("LIVENESS_XYZZY", "1")
    monkeypatch.setenv("LIVENESS_STEPS", "6")
    assert main(["--show-settings"]) == 0
    shown, said = capsys.readouterr()
    assert "hushed" not in shown + said
    assert said.splitlines() == [
        "LIVENESS_API_KEYS is no option; LIVENESS_API_KEY is",
        "LIVENESS_XYZZY is no option",
        "liveness_stpes is no option; LIVENESS_STEPS is",
    ]


def test_networks_are_read(tmp_path: Path) -> None:
    settings = Settings.from_args([])
    assert (settings.ports, settings.public_ip, settings.turn_key()) == (None, (), None)
    (tmp_path / "secret").write_text("north\n")
    relays = ["--ice-server", "turn:example.net", "--ice-server", "turn:me:word@example.net"]
    file = ["--turn-secret-file", str(tmp_path / "secret")]
    public = ["--public-ip", "198.51.100.7", "--public-ip", "2001:DB8::7"]
    argv = [*relays, *file, *public, "--udp-ports", "40000-40001"]
    settings = Settings.from_args(argv)
    assert settings.ports == range(40000, 40002)
    assert settings.public_ip == ("198.51.100.7", "2001:db8::7")
    assert settings.turn_key() == "north"


@pytest.mark.parametrize(
    "argv",
    [
        ["--ice-server", "turn:example.net"],
        ["--turn-secret", "north"],
        ["--turn-secret", "north", "--ice-server", "turn:me:word@example.net"],
        ["--turn-secret", "", "--ice-server", "turn:example.net"],
        ["--turn-secret-file", "nowhere", "--ice-server", "turn:example.net"],
        ["--turn-secret-file", "/", "--ice-server", "turn:example.net"],
        ["--turn-secret-file", "/dev/null", "--ice-server", "turn:example.net"],
        ["--turn-secret-file", "f", "--turn-secret", "north", "--ice-server", "turn:example.net"],
        ["--public-ip", "198.51.100.7", "--public-ip", "198.51.100.8"],
    ],
)
def test_what_does_not_go_together_is_named(argv: list[str]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_args(argv)
    assert caught.value.detail.startswith(f"{argv[0]}: ")
    assert "north" not in caught.value.detail


def test_keys_are_not_shown() -> None:
    argv = ["--api-key", "hushed", "--store", "redis://:hushed@host"]
    argv += ["--ice-server", "turn:example.net", "--turn-secret", "hushed"]
    assert "hushed" not in repr(Settings.from_args(argv))


def test_an_unknown_flag_ends_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Settings.from_args(["--prot", "1"])
    assert caught.value.code == 2
    assert "--prot" in capsys.readouterr().err


@given(st.lists(st.text(max_size=8), max_size=4))
def test_arguments_give_settings_or_words(argv: list[str]) -> None:
    with suppress(SettingsInvalid, SystemExit):
        assert Settings.from_args(argv)
