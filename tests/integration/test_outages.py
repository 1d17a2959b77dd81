"""What happens around sessions that run: the disk is full, Redis is killed, the clock jumps."""

import asyncio
import json
import resource
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from liveness.testing.fixtures import LivenessServer
from liveness.testing.peer import HeadlessPeer
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import Plain, bearer, create, post, publish, reach, show
from tests.integration.program import Program
from tests.needed import missing
from tests.redis_server import RedisServer

AWAY = 2.0
"""Seconds for which Redis is: a supervisor begins it anew in fewer."""


async def refused(client: ClientSession) -> tuple[int, str]:
    """Try to make a session; gives the status, and what the problem is called."""
    async with client.post("/api/sessions") as response:
        return response.status, (await response.json()).get("code", "")


async def ready(client: ClientSession) -> bool:
    async with client.get("/readyz") as response:
        return response.status == 200


async def until_ready(client: ClientSession) -> float:
    """Wait until sessions are taken again; gives the seconds."""
    began = time.monotonic()
    while not await ready(client):
        assert time.monotonic() < began + 15
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def words(peer: Plain) -> AsyncIterator[dict[str, Any]]:
    while not (peer.closed.is_set() and peer.messages.empty()):
        try:
            async with asyncio.timeout(0.2):
                yield json.loads(await peer.messages.get())
        except TimeoutError:
            continue


# A full disk.


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """One whose disk can be `filled`."""
    with Program(tmp_path, "--store", "sqlite", "--spoof-model", "none").begin() as program:
        yield program.ready()


@asynccontextmanager
async def filled(program: Program) -> AsyncIterator[None]:
    """Let a program write nothing to any file, its log included."""
    processes = [program.process.pid, *(each.pid for each in program.processes())]
    before = [resource.prlimit(each, resource.RLIMIT_FSIZE) for each in processes]
    for each, (_, most) in zip(processes, before, strict=True):
        resource.prlimit(each, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for each, limits in zip(processes, before, strict=True):
            resource.prlimit(each, resource.RLIMIT_FSIZE, limits)


async def test_a_full_disk_holds_a_verdict_back_and_loses_none(program: Program) -> None:
    async with program.client() as client:
        before, session = await create(client), await create(client)
        first = await publish(client, before)
        await reach(client, before, "running")
        await client.delete(f"/whip/{before['id']}", headers=bearer(before))
        told = (await show(client, before))["verdict"]
        peer = await publish(client, session)
        await reach(client, session, "running")
        async with filled(program):
            assert await refused(client) == (503, "store_unavailable")
            assert not await ready(client)
            assert (await client.get("/healthz")).status == 200
            assert (await show(client, before))["verdict"] == told, "what is there can be read"
            await peer.close()  # and so the session ends
            await asyncio.sleep(2.5)
            assert (await show(client, session))["verdict"] is None, "none is told"
        recovered = await until_ready(client)
        began = time.monotonic()
        while (shown := await show(client, session))["verdict"] is None:
            assert time.monotonic() < began + 8
            await asyncio.sleep(0.05)
        print(
            f"ready {recovered:.2f} s after there was room, the verdict kept "
            f"{time.monotonic() - began:.2f} s later"
        )
        assert shown["verdict"]["reasons"] == ["peer_left"]
        await create(client)
        await first.close()
    assert "Traceback" not in program.log.read_text()


# A Redis that is killed.


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, "--appendonly", "yes") as server:
        yield server


async def test_sessions_outlive_redis(redis: RedisServer, portrait: Portrait) -> None:
    async with (
        LivenessServer.of(store=redis.url, most_load=0) as one,
        LivenessServer.of(store=redis.url, most_load=0) as other,
        ClientSession(one.url) as client,
        ClientSession(other.url) as elsewhere,
    ):
        finished, ending, unused = [await create(client) for _ in range(3)]
        first = await publish(client, finished)
        await reach(client, finished, "running")
        await client.delete(f"/whip/{finished['id']}", headers=bearer(finished))
        told = (await show(client, finished))["verdict"]
        leaver = await publish(elsewhere, ending)
        await reach(client, ending, "running")
        async with HeadlessPeer(one.url, Puppet(portrait)) as person:
            while not person.states or person.states[-1].step < 1:  # noqa: ASYNC110 - a message
                await asyncio.sleep(0.02)
            redis.kill()
            killed = time.monotonic()
            await leaver.close()  # ends while there is no store
            for path in ("/readyz", f"/api/sessions/{finished['id']}"):
                response = await client.get(path, headers=bearer(finished))
                assert response.status == 503
                assert response.headers["Retry-After"]
            assert await refused(client) == (503, "store_unavailable")
            told_so = time.monotonic() - killed
            await asyncio.sleep(max(0.0, AWAY - told_so))
            redis.start()
            recovered = await until_ready(client)
            check = await person.check()
        assert check.verdict.verdict == "live"
        assert check.verdict.token
        shown = await show(elsewhere, {"id": check.session, "token": person.token})
        assert shown["verdict"]["token"] == check.verdict.token
        assert (await show(elsewhere, finished))["verdict"] == told
        ended = await reach(client, ending, "finished")
        assert ended["verdict"]["reasons"] == ["peer_left"]
        latecomer = await publish(elsewhere, unused)
        await reach(client, unused, "running")
        print(
            f"Redis killed for {AWAY:g} s: told in {told_so:.2f} s (three requests), sessions "
            f"taken again {recovered:.2f} s after its start"
        )
        await latecomer.close()
        await first.close()


async def test_a_verdict_that_cannot_be_kept_is_not_told_and_said_to_be_lost(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.ledger.KEEP_LIMIT", 0.5)
    monkeypatch.setattr("liveness.upkeep.BEAT_INTERVAL", 0.2)
    async with (
        LivenessServer.of(store=redis.url, time_limit=2) as server,
        ClientSession(server.url) as client,
    ):
        session = await create(client)
        peer = await publish(client, session)
        await reach(client, session, "running")
        redis.kill()
        heard = [word async for word in words(peer)]
        assert [word["type"] for word in heard if word["type"] != "state"] == ["error"]
        assert heard[-1]["code"] == "internal"
        redis.start()
        await until_ready(client)
        shown = await reach(client, session, "finished")
        assert shown["verdict"]["reasons"] == ["server_lost"]
        await peer.close()


# A clock that jumps.

DAY = 86_400
KEY = "0123456789abcdef0123456789abcdef"


def faketime() -> Path | None:
    """Where libfaketime is, None where it is not installed."""
    found = shutil.which("faketime")
    places = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return next(places, None) if found else None


class Clock:
    """The wall clock of the processes that are begun meanwhile."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set(self, ahead: int) -> None:
        """Have it so many seconds ahead of the right time, from one moment to the next."""
        other = self._file.with_suffix(".new")
        other.write_text(f"{ahead:+d}")
        other.replace(self._file)


@pytest_asyncio.fixture
async def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    library = faketime()
    if library is None:
        missing("needs Debian's faketime: apt-get install faketime")
    clock = Clock(tmp_path / "clock")
    clock.set(0)
    for name, value in {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return clock


@pytest.mark.parametrize("days", [1, -1], ids=["a day on", "a day back"])
async def test_nobody_suffers_from_a_clock_that_is_set(
    clock: Clock, tmp_path: Path, portrait: Portrait, days: int
) -> None:
    given = f"--store sqlite --spoof-model none --workers 1 --most-load 0 --api-key bank:{KEY}"
    with Program(tmp_path, *given.split()).begin() as program:
        program.ready()
        key = {"Authorization": f"Bearer {KEY}"}
        async with program.client() as client:
            made = [await (await client.post("/api/sessions", headers=key)).json() for _ in "123"]
            finished, running, unused = made
            peer = await publish(client, finished)
            await reach(client, finished, "running")
            await client.delete(f"/whip/{finished['id']}", headers=bearer(finished))
            person = HeadlessPeer(program.url, Puppet(portrait), token=running["token"])
            async with person:
                while not person.states or person.states[-1].step < 1:  # noqa: ASYNC110 - a message
                    await asyncio.sleep(0.02)
                clock.set(days * DAY)
                check = await person.check()
            assert check.verdict.verdict == "live"
            assert abs(check.verdict.finished_at.timestamp() - time.time() - days * DAY) < 60
            assert (await show(client, running))["verdict"]["token"] == check.verdict.token
            assert (await show(client, finished))["verdict"]["reasons"] == ["peer_left"]
            assert (await show(client, unused))["status"] == "created"
            late = Plain()
            assert (await post(client, unused, await late.offer())).status == 201
            again = await (await client.post("/api/sessions", headers=key)).json()
            assert (await show(client, again))["status"] == "created"
            clock.set(0)
            assert (await show(client, again))["status"] == "created"
            await late.close()
            await peer.close()
