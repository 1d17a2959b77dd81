"""A worker that lives and does nothing any more, and workers that only seem to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector

from liveness.supervisor import Supervisor
from tests.integration.plain import LOOPBACK, create, publish, reach, settings, show
from tests.integration.test_operations import count

PATIENCE = 3.0
WITHIN = 60.0  # seconds in which workers are replaced, on a machine that others use as well


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[ClientSession]:
    two = settings(port=0, workers=2, store="sqlite", data_dir=tmp_path)
    async with Supervisor.running(two, PATIENCE) as supervisor:
        url = f"http://{LOOPBACK}:{supervisor.port}"
        async with ClientSession(url, connector=TCPConnector(force_close=True)) as client:
            yield client


def workers() -> set[psutil.Process]:
    found = set()
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # ended since
            if "liveness.worker" in each.cmdline():
                found.add(each)
    return found


async def test_workers_that_hang_are_replaced_and_their_sessions_end(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    before = workers()
    assert len(before) == 2
    for each in before:
        each.suspend()
    began = time.monotonic()
    async with asyncio.timeout(WITHIN):
        while before & workers():  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.1)
        ended = time.monotonic() - began
        while (shown := await show(client, session))["status"] != "finished":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
        while await count(client, "liveness_workers") < 2:  # noqa: ASYNC110 - of others
            await asyncio.sleep(0.1)
    print(f"ended after {ended:.1f} s, replaced after {time.monotonic() - began:.1f} s at the most")
    assert ended > PATIENCE - 1
    assert shown["verdict"]["reasons"] == ["server_lost"]
    await peer.close()


async def test_a_machine_that_sleeps_costs_no_worker(client: ClientSession) -> None:
    before = workers()
    for each in before:
        each.suspend()
    time.sleep(PATIENCE + 1)  # noqa: ASYNC251 - the supervisor is here, and stands still as well
    for each in before:
        each.resume()
    await asyncio.sleep(PATIENCE + 1)
    assert workers() == before
    assert await count(client, "liveness_workers") == 2
