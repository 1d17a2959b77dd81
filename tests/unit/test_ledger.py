import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from liveness.errors import Conflict, NotFound, StoreUnavailable
from liveness.ledger import Ledger
from liveness.store import Delivery, Record, Status, Store
from liveness.store.memory import MemoryStore
from liveness.store.redis import RedisStore
from liveness.store.sqlite import SqliteStore
from liveness.verdict import Reason, Verdict
from tests.redis_server import RedisServer
from tests.store_worker import VERDICT, record

HOUR = timedelta(hours=1)


def signed(verdict: Verdict, lost: Record) -> Verdict:
    return verdict.model_copy(update={"token": f"about {lost.id}"})


def ledger(store: Store) -> Ledger:
    return Ledger(store, HOUR, signed)


async def begun(store: Store, **fields: Any) -> tuple[Ledger, Record]:
    """A session that a process runs."""
    await store.create(record("a", **fields))
    process = ledger(store)
    await process.claim("a")
    opened = await process.open("a")
    await process.keep(opened, Status.RUNNING)
    return process, opened


async def kept(store: Store) -> Record:
    found = await store.get("a")
    assert found is not None
    return found


async def test_a_session_belongs_to_one_process_until_it_is_over() -> None:
    store = MemoryStore()
    process, opened = await begun(store)
    assert opened.entity_tag
    assert ((await kept(store)).status, (await kept(store)).owner) == ("running", process.owner)
    with pytest.raises(Conflict):
        await ledger(store).claim("a")
    await process.finish(opened, VERDICT)
    over = await kept(store)
    assert (over.status, over.owner, over.verdict) == ("finished", None, VERDICT)
    assert abs(over.expires_at - datetime.now(UTC) - HOUR) < timedelta(seconds=5)
    with pytest.raises(Conflict):
        await process.claim("a")


async def test_a_session_that_is_released_is_as_before() -> None:
    store = MemoryStore()
    await store.create(record("a"))
    before, process = await kept(store), ledger(store)
    await process.claim("a")
    await process.open("a")
    await ledger(store).release(before)  # not another's to release
    assert (await kept(store)).owner == process.owner
    await process.release(before)
    assert (await kept(store)).model_copy(update={"revision": before.revision}) == before
    await ledger(store).claim("a")


async def test_a_deleted_session_is_not_opened_nor_kept() -> None:
    store = MemoryStore()
    process, opened = await begun(store)
    await store.delete("a")
    for call in (process.open("a"), process.leave("a")):
        with pytest.raises(NotFound):
            await call
    await process.keep(opened, Status.RUNNING)
    await process.finish(opened, VERDICT)
    assert await store.get("a") is None


async def test_a_verdict_is_never_overwritten() -> None:
    store = MemoryStore()
    process, opened = await begun(store)
    survivor = ledger(store)
    await survivor.lose(await kept(store))
    lost = await kept(store)
    assert lost.verdict is not None
    assert (lost.verdict.verdict, lost.verdict.reasons) == ("incomplete", (Reason.SERVER_LOST,))
    assert lost.verdict.token == "about a"  # noqa: S105 - none
    with pytest.raises(Conflict):  # it was only slow, and must not tell another verdict
        await process.finish(opened, VERDICT)
    await process.keep(opened, Status.RUNNING)
    await survivor.lose(opened)
    assert await kept(store) == lost


async def test_who_is_buried_has_no_sessions_any_more_and_does_not_live() -> None:
    store = MemoryStore()
    process, _ = await begun(store)
    await store.create(record("b"))
    await process.claim("b")
    await store.beat(process.owner)
    await ledger(store).bury(process.owner)
    lost, again = await kept(store), await store.get("b")
    assert lost.verdict is not None
    assert lost.verdict.reasons == (Reason.SERVER_LOST,)
    assert again is not None
    assert (again.status, again.owner) == (Status.CREATED, None)
    assert await store.beats() == {}


async def test_a_session_whose_peer_got_no_answer_may_be_tried_again() -> None:
    store = MemoryStore()
    await store.create(record("a"))
    await ledger(store).claim("a")
    await ledger(store).lose(await kept(store))
    assert (await kept(store)).status is Status.CREATED
    await ledger(store).claim("a")


async def test_the_verdict_and_its_delivery_are_kept_by_one_write() -> None:
    store = MemoryStore()
    hook = Delivery()
    process, opened = await begun(store, delivery=hook)
    assert await store.due(datetime.now(UTC)) == []
    await process.finish(opened, VERDICT)
    assert [each.id for each in await store.due(datetime.now(UTC))] == ["a"]


async def test_unused_sessions_expire_and_what_is_over_is_forgotten() -> None:
    store = MemoryStore()
    unused = record("b", expires_at=datetime.now(UTC))
    await store.create(unused)
    process, opened = await begun(store, expires_at=datetime.now(UTC))
    await process.sweep(unused.expires_at + HOUR)
    found = await store.get("b")
    assert found is not None
    assert found.status is Status.EXPIRED
    assert (await kept(store)).status is Status.RUNNING
    await process.finish(opened, VERDICT)
    await process.sweep(unused.expires_at + 2 * HOUR)
    assert await store.get("b") is None
    await process.sweep(datetime.now(UTC) + 2 * HOUR)
    assert await store.get("a") is None


async def test_of_many_survivors_one_ends_a_session(tmp_path: Path) -> None:
    stores = [await SqliteStore.open(tmp_path / "store.db") for _ in range(4)]
    await begun(stores[0])
    told = 0

    def sign(verdict: Verdict, _: Record) -> Verdict:
        nonlocal told
        told += 1
        return verdict.model_copy(update={"token": str(told)})

    running = await kept(stores[0])
    await asyncio.gather(*(Ledger(store, HOUR, sign).lose(running) for store in stores))
    assert told == 4  # all tried
    assert len({(await kept(store)).verdict for store in stores}) == 1
    for store in stores:
        await store.close()


@pytest_asyncio.fixture
async def redis(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, RedisStore]]:
    """One that can be stopped and remembers."""
    with RedisServer(tmp_path, "--appendonly", "yes") as server:
        store = await RedisStore.open(server.url)
        yield server, store
        await store.close()


async def test_a_verdict_waits_for_a_store_that_is_away(
    redis: tuple[RedisServer, RedisStore],
) -> None:
    server, store = redis
    process, opened = await begun(store)
    server.stop()
    await process.keep(opened, Status.CONNECTED)  # cannot be kept, and is no reason to stop
    telling = asyncio.create_task(process.finish(opened, VERDICT))
    await asyncio.sleep(0.5)
    assert not telling.done()
    server.start()
    await telling
    over = await kept(store)
    assert (over.status, over.verdict) == (Status.FINISHED, VERDICT)
    await process.finish(opened, VERDICT)  # as if the answer had been lost


async def test_a_store_that_stays_away_is_given_up(
    redis: tuple[RedisServer, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, store = redis
    process, opened = await begun(store)
    monkeypatch.setattr("liveness.ledger.KEEP_LIMIT", 0.0)
    server.stop()
    with pytest.raises(StoreUnavailable):
        await process.finish(opened, VERDICT)
