from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from liveness import greeting as module
from liveness.greeting import greeting, model_lines
from liveness.models import MINIFASNET, Weights
from liveness.settings import NO_MODEL, Settings

WEIGHTS = [
    Weights(Path(name), name, licence, "0", "package")
    for name, licence in (("x.dat", "free"), ("y.dat", "CC0-1.0"))
]


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ip_address("192.0.2.7"), ip_address("2001:db8::7")]
    monkeypatch.setattr(module, "network_addresses", lambda: found)


def said(port: int = 5555, **settings: Any) -> str:
    return "\n".join(greeting(Settings(**settings), port, ["Model x"], terminal=False))


def test_it_says_where_to_go_and_what_is_used() -> None:
    for line in (
        "https://localhost:5555",
        "https://192.0.2.7:5555",
        "https://[2001:db8::7]:5555",
        "Model x",
    ):
        assert line in said()
    assert "█" not in said()


def test_a_terminal_gets_a_code_to_scan() -> None:
    lines = greeting(Settings(), 5555, [], terminal=True)
    code = [line for line in lines if set(line.strip()) <= set("█▀▄ ") and line.strip()]
    assert len(code) > 10
    assert len({len(line) for line in code}) == 1


def test_plain_http_is_for_this_machine() -> None:
    assert "http://localhost:80" in said(80, http=True)
    assert "192.0.2.7" not in said(80, http=True)


def test_one_address_is_named_as_it_is() -> None:
    assert said(1, host="192.0.2.9").splitlines()[0].endswith("https://192.0.2.9:1")
    assert "192.0.2.7" not in said(host="192.0.2.9")


def test_several_processes_are_told_of() -> None:
    assert "3 processes share the work" in said(workers=3)
    assert "processes" not in said(workers=1)


def test_the_anti_spoof_model_is_named_or_missed() -> None:
    there = "\n".join(model_lines(Settings(), WEIGHTS, MINIFASNET))
    assert "x.dat (package): free" in there
    assert "y.dat (package): CC0-1.0" in there
    assert "MiniFASNet V2 and V1SE (anti-spoof): Apache-2.0" in there
    assert "no anti-spoof model" not in there
    lost = "\n".join(model_lines(Settings(), WEIGHTS, None))
    assert "no anti-spoof model: a face on a screen" in lost
    assert "python -m liveness models" in lost
    assert "no anti-spoof model" in model_lines(Settings(spoof_model=NO_MODEL), WEIGHTS, None)[-1]
