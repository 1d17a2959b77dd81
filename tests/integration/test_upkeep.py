"""Two servers that share a store, as two processes would."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from liveness.api.http import STORE
from liveness.errors import ModelMissing
from liveness.store import Status, Store
from liveness.testing.fixtures import LivenessServer
from tests.integration.plain import bearer, create, publish, reach, show
from tests.store_worker import record

if TYPE_CHECKING:
    from tests.redis_server import RedisServer

BEAT_INTERVAL = 0.1


@pytest.fixture(params=["sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/store.db"
    server: RedisServer = request.getfixturevalue("redis_server")
    server.empty()
    return server.url


@pytest_asyncio.fixture
async def servers(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[LivenessServer]]:
    monkeypatch.setattr("liveness.upkeep.BEAT_INTERVAL", BEAT_INTERVAL)
    async with AsyncExitStack() as stack:
        made = (LivenessServer.of(store=address) for _ in range(2))
        yield [await stack.enter_async_context(each) for each in made]


@pytest_asyncio.fixture
async def clients(servers: list[LivenessServer]) -> AsyncIterator[list[ClientSession]]:
    async with AsyncExitStack() as stack:
        made = (ClientSession(each.url) for each in servers)
        yield [await stack.enter_async_context(each) for each in made]


async def beating(store: Store, number: int) -> None:
    """Wait until so many processes are known."""
    async with asyncio.timeout(10):
        while len(await store.beats()) != number:  # noqa: ASYNC110 - what is polled is a store
            await asyncio.sleep(0.02)


async def test_a_session_of_one_is_seen_and_ended_through_the_other(
    clients: list[ClientSession],
) -> None:
    session = await create(clients[0])
    peer = await publish(clients[1], session)
    await reach(clients[0], session, "running")
    path = f"/api/sessions/{session['id']}"
    assert (await clients[0].delete(path, headers=bearer(session))).status == 204
    assert (await peer.verdict(within=5))["reasons"] == ["deleted"]
    for client in clients:
        assert (await client.get(path, headers=bearer(session))).status == 404
    await peer.close()


async def test_a_resource_of_one_is_left_through_the_other(clients: list[ClientSession]) -> None:
    session = await create(clients[0])
    peer = await publish(clients[1], session)
    await reach(clients[1], session, "running")
    path = f"/whip/{session['id']}"
    assert (await clients[0].delete(path, headers=bearer(session))).status == 200
    assert (await peer.verdict(within=5))["reasons"] == ["peer_left"]
    shown = await show(clients[0], session)
    assert (shown["status"], shown["verdict"]["reasons"]) == ("finished", ["peer_left"])
    await peer.close()


async def test_sessions_of_a_process_that_died_are_ended_by_those_that_live(
    servers: list[LivenessServer],
) -> None:
    store = servers[0].app[STORE]
    now = datetime.now(UTC)
    await beating(store, 2)
    await store.beat("the dead")
    fields: dict[str, Any] = {"created_at": now, "expires_at": now + timedelta(minutes=10)}
    running = record("a", Status.RUNNING, owner="the dead", entity_tag="x", **fields)
    await store.create(running)
    await store.create(record("b", owner="the dead", **fields))
    started = time.monotonic()
    await beating(store, 2)
    print(f"noticed after {time.monotonic() - started:.1f} s, beats {BEAT_INTERVAL} s apart")
    lost, again = await store.get("a"), await store.get("b")
    assert lost is not None
    assert lost.verdict is not None
    assert (lost.status, lost.owner) == (Status.FINISHED, None)
    assert (lost.verdict.verdict, lost.verdict.reasons) == ("incomplete", ("server_lost",))
    assert lost.verdict.token
    assert again is not None
    assert (again.status, again.owner) == (Status.CREATED, None)


async def test_those_that_live_take_leave(address: str, servers: list[LivenessServer]) -> None:
    store = servers[0].app[STORE]
    await beating(store, 2)
    async with LivenessServer.of(store=address):
        await beating(store, 3)
    assert len(await store.beats()) == 2


async def test_a_server_that_cannot_start_lets_go_of_its_store(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        async with LivenessServer.of(store=f"sqlite:{tmp_path}/store.db", spoof_model="none.toml"):
            pass
    names = [each.name for each in tmp_path.iterdir()]  # noqa: ASYNC240 - of a test
    assert names == ["store.db"]
