import json
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from liveness.logs import configure_logging, hide_addresses


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**kept)


def test_everything_is_json_where_nobody_reads_along(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    with structlog.contextvars.bound_contextvars(session="s"):
        structlog.get_logger().info("ours", count=1)
        logging.getLogger("library").warning("theirs about %s", "10.1.2.3")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert ours.items() >= {"event": "ours", "count": 1, "level": "info", "session": "s"}.items()
    assert theirs.items() >= {"event": "theirs about [address]", "logger": "library"}.items()
    assert theirs["session"] == "s"
    assert {"timestamp"} <= set(ours) & set(theirs)


def test_text_can_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    structlog.get_logger().info("ours", count=1)
    said = capsys.readouterr().err
    assert "ours" in said
    assert "{" not in said


def test_errors_come_with_their_traceback_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        raise ValueError("from 10.1.2.3")  # noqa: TRY301 - what is logged
    except ValueError:
        logging.getLogger("library").exception("wrong")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: from [address]" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "2001:db8::7", "::1", "fe80::1", "1:2:3:4:5:6:7:8"]
)
def test_addresses_are_hidden(address: str) -> None:
    for text in (address, f"<socket raddr=('{address}', 443)>", f"to {address}"):
        event = hide_addresses(None, "", {"event": text, "timestamp": "2026-01-01T10:20:30Z"})
        assert address not in event["event"]
        assert event["timestamp"] == "2026-01-01T10:20:30Z"


@pytest.mark.parametrize("text", ["version 1.16.0", "at 10:20:30", "a::method", "key: value"])
def test_other_words_stay(text: str) -> None:
    assert hide_addresses(None, "", {"event": text})["event"] == text


def test_a_log_on_a_full_disk_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with suppress(OSError), Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        configure_logging("json")
        structlog.get_logger().warning("store unavailable")
        with pytest.raises(OSError, match="No space"):
            full.flush()
