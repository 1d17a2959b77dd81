"""A server that was told to stop: who is in the middle of a check finishes it, no one begins."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from liveness.testing.peer import HeadlessPeer
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import Plain, create, post, publish, reach
from tests.integration.program import Program

Started = Callable[..., Program]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(Program(tmp_path, *arguments).begin()).ready()


async def ended(program: Program) -> str:
    """Wait until it has ended, as it should; gives what it has logged."""
    assert await asyncio.to_thread(program.process.wait, 20) == 0
    log = program.log.read_text()
    assert "Traceback" not in log
    return log


async def refused(client: ClientSession, session: dict[str, Any]) -> None:
    """See that nobody is let in, and that balancers can tell."""
    until = time.monotonic() + 5
    while (await client.get("/readyz")).status == 200:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    peer = Plain()
    for response in (
        await client.get("/readyz"),
        await client.post("/api/sessions"),
        await post(client, session, await peer.offer()),
    ):
        assert response.status == 503
        assert (await response.json())["code"] == "server_stopping"
        assert int(response.headers["Retry-After"]) > 0
    assert (await client.get("/healthz")).status == 200
    await peer.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_who_is_in_the_middle_of_a_check_finishes_it(
    started: Started, workers: str, portrait: Portrait
) -> None:
    program = started("--workers", workers)
    async with program.client() as client:
        waiting = await create(client)
        async with HeadlessPeer(program.url, Puppet(portrait)) as peer:
            program.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            await refused(client, waiting)
            assert (await peer.check()).verdict.verdict == "live"
        log = await ended(program)
        print(f"ended {time.monotonic() - began:.1f} s after it was told to")
    assert '"event": "draining"' in log


@pytest.mark.parametrize(
    ("workers", "seconds", "signals"),
    [
        ("2", "1", [signal.SIGTERM]),
        ("1", "600", [signal.SIGTERM, signal.SIGTERM]),
    ],
)
async def test_what_takes_too_long_is_ended(
    started: Started, workers: str, seconds: str, signals: list[signal.Signals]
) -> None:
    program = started("--workers", workers, "--drain-seconds", seconds)
    async with program.client() as client:
        session = await create(client)
        peer = await publish(client, session)
        await reach(client, session, "running")
        for number in signals:
            program.process.send_signal(number)
            await asyncio.sleep(0.2)
        told = await peer.verdict(within=10)
        assert (told["verdict"], told["reasons"]) == ("incomplete", ["server_stopping"])
        await peer.close()
        log = await ended(program)
    assert session["token"] not in log
