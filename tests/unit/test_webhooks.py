import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import StoreUnavailable
from liveness.hooks import Hook
from liveness.report import report
from liveness.store import FARTHEST, Delivery, Outcome, Record, Status, Store
from liveness.store.memory import MemoryStore
from liveness.store.opening import open_store
from liveness.webhooks import GIVE_UP, Webhooks, after
from tests.receiver import SECRET, Receiver
from tests.store_worker import NOW, VERDICT, record

if TYPE_CHECKING:
    from tests.redis_server import RedisServer

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveness.webhooks.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("liveness.webhooks.LOOK_INTERVAL", 0.05)
    monkeypatch.setattr("liveness.webhooks.LAST_WORDS", 1.0)


async def finish(store: Store, name: str, **fields: Any) -> Record:
    """Keep a session that has just got its verdict."""
    made = record(
        name,
        Status.FINISHED,
        verdict=VERDICT,
        expires_at=NOW + DAY,
        **({"delivery": Delivery(due_at=datetime.now(UTC))} | fields),
    )
    await store.create(made)
    return made


def hooked(receiver: Receiver, name: str = "default") -> dict[str, Hook]:
    return {name: Hook(name, f"{receiver.url}/hook", (SECRET,))}


@asynccontextmanager
async def delivering(
    store: Store, hooks: dict[str, Hook], *, private: bool = True
) -> AsyncIterator[Counter[str]]:
    outcomes: Counter[str] = Counter()
    webhooks = Webhooks(
        store, hooks, private=private, told=lambda outcome: outcomes.update([outcome])
    )
    try:
        yield outcomes
    finally:
        await webhooks.close()


async def reached(store: Store, name: str, when: Callable[[Delivery], bool]) -> Delivery:
    async with asyncio.timeout(10):
        while True:
            found = await store.get(name)
            assert found is not None
            assert found.delivery is not None
            if when(found.delivery):
                return found.delivery
            await asyncio.sleep(0.01)


def is_over(delivery: Delivery) -> bool:
    return delivery.status is not Outcome.WAITING


async def test_a_verdict_is_delivered_as_it_can_be_read() -> None:
    store = MemoryStore()
    made = await finish(store, "a", metadata={"case": 7})
    async with Receiver().listening() as receiver, delivering(store, hooked(receiver)) as outcomes:
        delivery = await reached(store, "a", is_over)
        await asyncio.sleep(0.2)  # and not again
    assert receiver.bodies == [report(made)]
    assert receiver.headers[0]["webhook-id"] == "verdict-a"
    assert abs(int(receiver.headers[0]["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 5
    assert delivery == Delivery(status=Outcome.DELIVERED, tries=1)
    assert outcomes == {"delivered": 1}


async def test_what_is_not_taken_comes_again_under_the_same_name() -> None:
    store = MemoryStore()
    await finish(store, "a")
    receiver = Receiver(500, 302, 429)
    async with receiver.listening(), delivering(store, hooked(receiver)) as outcomes:
        delivery = await reached(store, "a", is_over)
    assert delivery == Delivery(status=Outcome.DELIVERED, tries=4)
    assert {each["webhook-id"] for each in receiver.headers} == {"verdict-a"}
    assert len(receiver.headers) == 4  # nobody was followed to where 302 leads
    assert outcomes == {"failed": 3, "delivered": 1}


async def test_why_a_try_failed_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveness.webhooks.FIRST_PAUSE", 60)
    monkeypatch.setattr("liveness.webhooks.TIMEOUT", 0.2)
    store = MemoryStore()
    async with Receiver(503, 301).listening() as receiver:
        hooks = hooked(receiver)
        for name, error in (("a", "HTTP 503"), ("b", "HTTP 301")):
            await finish(store, name)
            async with delivering(store, hooks):
                delivery = await reached(store, name, lambda each: each.error is not None)
            assert delivery.error == error
            assert delivery.status is Outcome.WAITING
        receiver.silent = True
        await finish(store, "c")
        async with delivering(store, hooks):
            delivery = await reached(store, "c", lambda each: each.error is not None)
        assert delivery.error == "No answer within 0.2 seconds"
    await finish(store, "d")
    async with delivering(store, hooks):
        delivery = await reached(store, "d", lambda each: each.error is not None)
    assert delivery.error == "No connection"


async def test_private_addresses_are_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveness.webhooks.FIRST_PAUSE", 60)
    store = MemoryStore()
    await finish(store, "a")
    async with (
        Receiver().listening() as receiver,
        delivering(store, hooked(receiver), private=False),
    ):
        delivery = await reached(store, "a", lambda each: each.error is not None)
    assert delivery.error == "Its address is private: see --webhook-allow-private"
    assert receiver.bodies == []


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    try:
        while True:
            writer.write(bytes(65536))
            await writer.drain()
    except ConnectionError:
        writer.close()


async def test_an_endless_answer_is_not_read() -> None:
    store = MemoryStore()
    await finish(store, "a")
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hooks = {"default": Hook("default", f"http://127.0.0.1:{port}/", (SECRET,))}
    async with server, delivering(store, hooks):
        delivery = await reached(store, "a", is_over)
    assert delivery.status is Outcome.DELIVERED


@pytest.fixture(params=["sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/store.db"
    server: RedisServer = request.getfixturevalue("redis_server")
    server.empty()
    return server.url


async def test_of_many_processes_one_delivers(address: str, tmp_path: Path) -> None:
    stores = [await open_store(address, tmp_path) for _ in range(3)]
    names = [str(number) for number in range(30)]
    for name in names:
        await finish(stores[0], name)
    async with Receiver().listening() as receiver:
        hooks = hooked(receiver)
        async with (
            delivering(stores[0], hooks),
            delivering(stores[1], hooks),
            delivering(stores[2], hooks),
        ):
            await receiver.told(len(names))
    assert Counter(receiver.sessions) == Counter(names)
    for store in stores:
        await store.close()


async def test_a_process_that_dies_over_it_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveness.webhooks.LEASE", timedelta(seconds=0.5))
    store = MemoryStore()
    await finish(store, "a", delivery=Delivery(due_at=datetime.now(UTC), tries=1))
    taken = Delivery(due_at=datetime.now(UTC) + timedelta(seconds=0.5), tries=2)
    await store.change("a", {"delivery": taken}, when=lambda _: True)  # the last that it did
    async with Receiver().listening() as receiver, delivering(store, hooked(receiver)):
        with pytest.raises(TimeoutError):
            await receiver.told(1, within=0.3)  # it may be at work yet
        delivery = await reached(store, "a", is_over)
    assert (delivery.tries, receiver.sessions) == (3, ["a"])


async def test_a_clock_that_was_set_back_holds_up_no_verdict() -> None:
    store = MemoryStore()
    before = datetime.now(UTC) + DAY
    await finish(store, "a", delivery=Delivery(due_at=before, tries=3, error="HTTP 500"))
    async with Receiver().listening() as receiver, delivering(store, hooked(receiver)):
        assert await reached(store, "a", is_over) == Delivery(status=Outcome.DELIVERED, tries=4)


class Forgetful(MemoryStore):
    """Goes away between a delivery and the note of it."""

    failures = 1

    async def _commit(self, session_id: str, old: Record | None, new: Record | None) -> bool:
        over = new is not None and new.delivery is not None and is_over(new.delivery)
        if over and self.failures:
            self.failures -= 1
            raise StoreUnavailable(retry_after=1)
        return await super()._commit(session_id, old, new)


async def test_what_may_not_have_arrived_is_delivered_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveness.webhooks.LEASE", timedelta(seconds=0.2))
    store = Forgetful()
    await finish(store, "a")
    async with Receiver().listening() as receiver, delivering(store, hooked(receiver)):
        await reached(store, "a", is_over)
    assert receiver.sessions == ["a", "a"]
    assert len({each["webhook-id"] for each in receiver.headers}) == 1


async def test_a_silent_webhook_leaves_room_for_others() -> None:
    store = MemoryStore()
    silent = Receiver()
    silent.silent = True
    async with silent.listening(), Receiver().listening() as receiver:
        for number in range(40):
            await finish(store, f"silent {number}", key_name="shop")
        await finish(store, "a", key_name="bank")
        async with delivering(store, hooked(silent, "shop") | hooked(receiver, "bank")):
            await receiver.told(1, within=5)
            assert len(silent.bodies) <= 4


async def test_those_behind_many_that_do_not_arrive_are_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveness.webhooks.MOST_LOOKED_AT", 10)
    monkeypatch.setattr("liveness.webhooks.TIMEOUT", 0.2)
    monkeypatch.setattr("liveness.webhooks.FIRST_PAUSE", 60)
    store = MemoryStore()
    silent = Receiver()
    silent.silent = True
    async with silent.listening(), Receiver().listening() as receiver:
        for number in range(60):
            await finish(store, f"silent {number}", key_name="shop")
        await finish(store, "a", key_name="bank")
        async with delivering(store, hooked(silent, "shop") | hooked(receiver, "bank")):
            await receiver.told(1, within=5)
        assert len(silent.bodies) < 30
    assert len(await store.due(datetime.now(UTC) + timedelta(minutes=2))) == 60  # none is lost


async def test_a_webhook_that_is_gone_is_told_of() -> None:
    store = MemoryStore()
    await finish(store, "a", key_name="shop")
    async with Receiver().listening() as receiver:
        async with delivering(store, hooked(receiver, "bank")):
            delivery = await reached(store, "a", lambda each: each.error is not None)
        assert delivery.error == "No webhook is configured any more"
        assert receiver.bodies == []


async def test_the_last_verdicts_of_a_server_are_delivered_before_it_stops() -> None:
    store = MemoryStore()
    async with Receiver().listening() as receiver:
        async with delivering(store, hooked(receiver)):
            await asyncio.sleep(0.01)
            await finish(store, "a")
        assert receiver.sessions == ["a"]


async def test_only_sessions_of_a_configured_key_have_a_delivery() -> None:
    hooks = {name: Hook(name, "https://x.example", (SECRET,)) for name in ("bank", "default")}
    webhooks = Webhooks(MemoryStore(), hooks, private=False, told=lambda _: None)
    assert webhooks.delivery("bank") == webhooks.delivery(None) == Delivery()
    assert webhooks.delivery("shop") is None
    await webhooks.close()
    webhooks = Webhooks(MemoryStore(), {}, private=False, told=lambda _: None)
    assert webhooks.delivery(None) is None
    await webhooks.close()


@given(st.floats(0.75, 1.25), st.integers(1, 7 * 24))
def test_it_is_tried_for_a_day_ever_more_seldom(jitter: float, kept: int) -> None:
    now, pauses = NOW, []
    tried = record("a", verdict=VERDICT, expires_at=NOW + timedelta(hours=kept))
    tried = tried.model_copy(update={"delivery": Delivery(due_at=now, tries=1)})
    for tries in range(1, 100):
        assert tried.delivery is not None
        delivery = after(tried, "HTTP 500", now, jitter)
        if delivery.due_at is None:
            break
        pauses.append((delivery.due_at - now).total_seconds())
        now = delivery.due_at
        delivery = delivery.model_copy(update={"tries": tries + 1})
        tried = tried.model_copy(update={"delivery": delivery})
    assert (delivery.status, delivery.error) == (Outcome.GIVEN_UP, "HTTP 500")
    assert pauses == sorted(pauses)
    end = min(GIVE_UP, timedelta(hours=kept))
    assert end - timedelta(hours=5) < now - NOW <= end  # the last try is near the end
    assert len(pauses) < 50
    assert timedelta(seconds=pauses[-1]) < FARTHEST
