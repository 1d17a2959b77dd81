from ipaddress import ip_address
from pathlib import Path

import pytest

from liveness import serve
from liveness.models import Weights
from liveness.serve import greeting
from liveness.settings import Settings

WEIGHTS = Weights(Path("x.dat"), "x.dat", "free", "0", "package")


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ip_address("192.0.2.7"), ip_address("2001:db8::7")]
    monkeypatch.setattr(serve, "network_addresses", lambda: found)


def test_it_says_where_to_go_and_what_is_used() -> None:
    said = "\n".join(greeting(Settings(), 5555, WEIGHTS, terminal=False))
    assert "https://localhost:5555" in said
    assert "https://192.0.2.7:5555" in said
    assert "https://[2001:db8::7]:5555" in said
    assert "x.dat (package): free" in said
    assert "█" not in said


def test_a_terminal_gets_a_code_to_scan() -> None:
    lines = greeting(Settings(), 5555, WEIGHTS, terminal=True)
    code = [line for line in lines if set(line.strip()) <= set("█▀▄ ") and line.strip()]
    assert len(code) > 10
    assert len({len(line) for line in code}) == 1


def test_plain_http_is_for_this_machine() -> None:
    said = "\n".join(greeting(Settings(http=True), 80, WEIGHTS, terminal=True))
    assert "http://localhost:80" in said
    assert "192.0.2.7" not in said


def test_one_address_is_named_as_it_is() -> None:
    said = greeting(Settings(host="192.0.2.9"), 1, WEIGHTS, terminal=True)
    assert said[0].endswith("https://192.0.2.9:1")
    assert "192.0.2.7" not in "\n".join(said)
