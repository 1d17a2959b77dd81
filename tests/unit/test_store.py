import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveness.store import Delivery, Record, Status, Store
from liveness.store.memory import MemoryStore
from liveness.store.opening import open_store
from tests.store_worker import NOW, VERDICT, record

if TYPE_CHECKING:
    from tests.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
LATER = NOW + timedelta(minutes=10)
SHARED = pytest.mark.parametrize("address", ["sqlite", "redis"], indirect=True)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every test runs with each kind of store, which is empty."""
    kind: str = request.param
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        server.empty()
        return server.url
    return f"sqlite:{tmp_path}/store.db" if kind == "sqlite" else kind


@pytest_asyncio.fixture
async def store(address: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(address, tmp_path)
    yield store
    await store.close()


def always(_: Record) -> bool:
    return True


def unrevised(kept: Record | None) -> dict[str, Any]:
    assert kept is not None
    return kept.model_dump(exclude={"revision"})


async def ids(store: Store, status: Status | None = None, limit: int = 100) -> list[str]:
    return [each.id for each in (await store.page(status, after=None, limit=limit)).records]


async def test_a_record_is_found_by_id_and_by_token_until_it_is_deleted(store: Store) -> None:
    made = record(
        "a",
        metadata={"subject": "für 😀 \x00", "n": 1, "x": 0.5, "yes": True},
        subject_digest="s",
        key_name="bank",
        success_url="https://bank.example/ok",
        time_limit=30.0,
        delivery=Delivery(),
    )
    await store.create(made)
    found = await store.get("a")
    assert unrevised(found) == unrevised(await store.find("digest of a")) == unrevised(made)
    assert found is not None
    assert found.metadata["yes"] is True
    await store.delete("a")
    await store.delete("a")
    assert await store.get("a") is await store.find("digest of a") is None
    assert await ids(store) == []


async def test_ids_and_tokens_are_used_once(store: Store) -> None:
    await store.create(record("a"))
    with pytest.raises(ValueError, match="already"):
        await store.create(record("a", token_digest="another"))  # noqa: S106 - none
    with pytest.raises(ValueError, match="already"):
        await store.create(record("b", token_digest="digest of a"))  # noqa: S106 - none
    assert await ids(store) == ["a"]


async def test_a_change_needs_its_condition(store: Store) -> None:
    await store.create(record("a"))
    fields = {"status": Status.FINISHED, "verdict": VERDICT}
    kept = await store.change("a", fields, when=lambda old: old.status is not Status.FINISHED)
    assert kept is not None
    assert kept == await store.get("a") == await store.find("digest of a")
    assert kept.verdict == VERDICT
    again = await store.change("a", {"verdict": None}, when=lambda old: old.verdict is None)
    assert again is None
    assert await store.get("a") == kept
    assert await store.change("b", {"status": Status.RUNNING}, when=always) is None


async def test_a_change_never_builds_on_what_was_changed_meanwhile(store: Store) -> None:
    await store.create(record("a", metadata={"n": 0}))

    async def count() -> None:
        kept = None
        while kept is None:
            old = await store.get("a")
            assert old is not None
            fields = {"metadata": {"n": old.metadata["n"] + 1}}  # type: ignore[operator]
            kept = await store.change("a", fields, when=lambda now, old=old: now == old)  # type: ignore[misc]

    await asyncio.gather(*(count() for _ in range(20)))
    kept = await store.get("a")
    assert kept is not None
    assert kept.metadata == {"n": 20}


async def test_of_many_tasks_one_claims(store: Store) -> None:
    await store.create(record("a"))
    claims = (
        store.change("a", {"owner": str(number)}, when=lambda old: old.owner is None)
        for number in range(20)
    )
    won = [kept for kept in await asyncio.gather(*claims) if kept]
    assert won == [await store.get("a")]


async def test_a_deleted_record_stays_deleted(store: Store) -> None:
    await store.create(record("a"))
    await asyncio.gather(store.delete("a"), store.change("a", {"owner": "x"}, when=always))
    assert await store.get("a") is None
    assert await ids(store) == []
    assert await store.owned_by("x") == []


async def test_pages_are_newest_first_and_lose_nothing(store: Store) -> None:
    for number in range(10):  # in pairs of the same microsecond
        created = NOW + timedelta(microseconds=number // 2)
        status = Status.FINISHED if number % 3 else Status.CREATED
        await store.create(record(f"s{number}", status, created_at=created))
    newest_first = [f"s{number}" for number in reversed(range(10))]
    seen: list[str] = []
    after = None
    for turn in range(4):
        page = await store.page(None, after=after, limit=3)
        seen += [each.id for each in page.records]
        after = page.after
        await store.delete(seen[-1])  # its place is remembered all the same
        await store.create(record(f"new{turn}", created_at=LATER))
    assert (seen, after) == (newest_first, None)
    assert await ids(store, Status.RUNNING) == []
    await store.change("s5", {"status": Status.RUNNING}, when=always)
    assert await ids(store, Status.RUNNING) == ["s5"]
    full = await store.page(Status.RUNNING, after=None, limit=1)
    assert full.after is None


async def test_pages_are_of_one_relying_party(store: Store) -> None:
    for name, key_name in (("a", "bank"), ("b", "shop"), ("c", None), ("d", "bank")):
        await store.create(record(name, key_name=key_name))
    await store.change("d", {"status": Status.FINISHED}, when=always)

    async def seen(key_name: str | None, status: Status | None = None) -> list[str]:
        page = await store.page(status, key_name=key_name, after=None, limit=10)
        return [each.id for each in page.records]

    assert [await seen(name) for name in ("bank", "shop", None)] == [["d", "a"], ["b"], ["c"]]
    assert await seen("bank", Status.CREATED) == ["a"]
    assert await seen("bank", Status.FINISHED) == ["d"]
    assert await seen("shop", Status.FINISHED) == []
    await store.delete("d")
    assert await seen("bank") == ["a"]


async def test_time_is_over_for_those_that_nobody_works_on(store: Store) -> None:
    for status in Status:
        owner = "me" if status in {Status.CONNECTED, Status.RUNNING} else None
        await store.create(record(status.value, status, owner=owner))
    await store.create(record("claimed", owner="me"))
    assert await store.expired(NOW) == []
    over = {"created", "expired", "finished"}
    assert {each.id for each in await store.expired(LATER)} == over
    assert len(await store.expired(LATER, limit=2)) == 2
    fields = {"status": Status.FINISHED, "owner": None, "expires_at": LATER + timedelta(seconds=1)}
    await store.change("claimed", fields, when=always)
    assert {each.id for each in await store.expired(LATER)} == over
    assert len(await store.expired(LATER + timedelta(seconds=1))) == 4


async def test_owners_have_their_records_and_beat(store: Store) -> None:
    await store.create(record("a", owner="x"))
    await store.create(record("b", owner="y"))
    await store.create(record("c"))
    for owner in ("x", "y", "x"):
        await store.beat(owner)
    assert await store.beats() == {"x": 2, "y": 1}
    assert [each.id for each in await store.owned_by("x")] == ["a"]
    await store.change("a", {"owner": "y"}, when=lambda old: old.owner == "x")
    assert await store.owned_by("x") == []
    assert {each.id for each in await store.owned_by("y")} == {"a", "b"}
    await store.retire("x")
    await store.retire("x")
    assert await store.beats() == {"y": 1}


async def test_a_delivery_is_taken_once_and_comes_again(store: Store) -> None:
    for name, seconds in (("late", 2), ("early", 1)):
        due = Delivery(due_at=NOW + timedelta(seconds=seconds))
        await store.create(record(name, Status.FINISHED, delivery=due))
    await store.create(record("running", delivery=Delivery()))
    assert await store.due(NOW) == []
    found = await store.due(LATER)
    assert [each.id for each in found] == ["early", "late"]
    assert [each.id for each in await store.due(LATER, limit=1)] == ["early"]
    taken = Delivery(due_at=LATER + timedelta(seconds=30), tries=1)
    tries = (
        store.change(
            "early", {"delivery": taken}, when=lambda old: old.delivery == found[0].delivery
        )
        for _ in range(5)
    )
    assert len(list(filter(None, await asyncio.gather(*tries)))) == 1
    assert [each.id for each in await store.due(LATER)] == ["late"]
    await store.change("late", {"delivery": Delivery()}, when=always)
    assert [each.id for each in await store.due(LATER + timedelta(seconds=30))] == ["early"]


async def test_a_clock_that_was_set_back_delays_no_delivery(store: Store) -> None:
    for name, hours in (("put off", 5), ("from the future", 7), ("from next year", 9000)):
        due = Delivery(due_at=NOW + timedelta(hours=hours))
        await store.create(record(name, Status.FINISHED, delivery=due))
    assert [each.id for each in await store.due(NOW)] == ["from the future", "from next year"]
    assert [each.id for each in await store.due(NOW, limit=1)] == ["from the future"]
    overdue = Delivery(due_at=NOW)
    await store.create(record("overdue", Status.FINISHED, delivery=overdue))
    assert [each.id for each in await store.due(NOW, limit=2)] == ["overdue", "from the future"]


async def test_hits_are_counted_up_to_a_limit_in_a_window_that_slides(store: Store) -> None:
    async def hit(key: str = "k") -> float:
        return await store.hit(key, limit=3, window=0.4)

    assert [await hit(), await hit()] == [0.0, 0.0]
    await asyncio.sleep(0.2)
    assert await hit() == 0.0
    wait = await hit()
    assert 0.0 < wait <= 0.2
    assert await hit("another") == 0.0
    await asyncio.sleep(wait + 0.01)
    assert await hit() == await hit() == 0.0  # the first two are over, the third is not
    assert await hit() > 0.0


async def test_tasks_share_a_limit(store: Store) -> None:
    waits = await asyncio.gather(*(store.hit("k", limit=5, window=60) for _ in range(20)))
    assert sorted(waits)[:6] == [0.0] * 5 + [pytest.approx(60, abs=5)]


async def test_a_lock_ends_by_itself(store: Store) -> None:
    assert await store.locked("k") == 0.0
    await store.lock("k", 60)
    assert 50 < await store.locked("k") <= 60
    await store.lock("k", 0.1)
    assert 0 < await store.locked("k") <= 0.1
    assert await store.locked("another") == 0.0
    await asyncio.sleep(0.11)
    assert await store.locked("k") == 0.0


async def test_public_keys_are_known_until_they_expire(store: Store) -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "ü"}
    await store.publish_key("a", jwk, LATER)
    await store.publish_key("b", {}, LATER + timedelta(hours=1))
    assert await store.keys(NOW) == {"a": jwk, "b": {}}
    assert await store.keys(LATER) == {"b": {}}
    await store.publish_key("b", jwk, LATER)
    assert await store.keys(LATER) == {}


async def test_pictures_go_with_their_session(store: Store) -> None:
    picture = bytes(range(256)) * 100
    await store.put_picture("a", "orphan", picture)
    await store.create(record("a"))
    assert await store.pictures("a") == []
    for name, data in (("front", b""), ("blink", picture), ("front", picture)):
        await store.put_picture("a", name, data)
    await store.change("a", {"status": Status.RUNNING}, when=always)
    assert await store.pictures("a") == ["blink", "front"]
    assert await store.picture("a", "front") == picture
    assert await store.picture("a", "left") is await store.picture("b", "front") is None
    await store.delete("a")
    await store.create(record("a"))
    assert await store.pictures("a") == []
    assert await store.picture("a", "front") is None


async def test_a_store_is_ready(store: Store) -> None:
    await store.ping()
    await store.ping()


@SHARED
async def test_what_one_keeps_another_finds(address: str, store: Store, tmp_path: Path) -> None:
    await store.create(record("a"))
    other = await open_store(address, tmp_path)
    await other.change("a", {"owner": "x"}, when=always)
    await other.close()
    assert [each.id for each in await store.owned_by("x")] == ["a"]


@SHARED
async def test_of_two_processes_one_claims(address: str, store: Store) -> None:
    names = {str(number) for number in range(100)}
    for name in names:
        await store.create(record(name))
    command = (sys.executable, "-m", "tests.store_worker", "claim", address)
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(*command, owner, cwd=ROOT, stdin=pipe, stdout=pipe)
        for owner in ("x", "y")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    won = [set(out.decode().split()) for out, _ in said]
    print(f"{address.partition(':')[0]}: {len(won[0])} and {len(won[1])} of {len(names)} claimed")
    assert won[0] | won[1] == names
    assert not won[0] & won[1]
    for owner, claimed in zip(("x", "y"), won, strict=True):
        assert {each.id for each in await store.owned_by(owner)} == claimed
    assert await store.beats() == {"shared": 200}
    assert await store.hit("shared", limit=201, window=60) == 0.0
    assert await store.hit("shared", limit=201, window=60) > 0.0


Step = tuple[str, int, Status, str | None]
steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "change", "take", "delete"]),
        st.integers(0, 4),
        st.sampled_from(Status),
        st.sampled_from([None, "x", "y"]),
    ),
    max_size=20,
)


async def take(store: Store, step: Step) -> object:
    """Do one thing; tells what came of it."""
    what, number, status, owner = step
    name, expires = str(number), NOW + timedelta(minutes=number)
    due = Delivery(due_at=expires if owner else None)
    fields: dict[str, Any] = {"status": status, "owner": owner, "delivery": due}
    if what == "create":
        try:
            await store.create(record(name, expires_at=expires, **fields))
        except ValueError:
            return "refused"
        return "created"
    if what == "delete":
        await store.delete(name)
        return "deleted"
    when = always if what == "change" else lambda old: old.owner is None
    kept = await store.change(name, fields, when=when)
    return kept and unrevised(kept)


async def view(store: Store) -> list[object]:
    """Everything that can be seen."""
    lists = [await store.owned_by(owner) for owner in ("x", "y")]
    lists += [await store.expired(NOW + timedelta(minutes=2)), await store.due(LATER)]
    pages = [await ids(store, status) for status in (*Status, None)]
    every = [await store.get(str(number)) for number in range(5)]
    shown = [each and unrevised(each) for each in every]
    return [*shown, *pages, *(sorted(each.id for each in found) for found in lists)]


@SHARED
@given(steps)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_every_store_does_as_the_one_in_memory(store: Store, taken: list[Step]) -> None:
    for name in await ids(store):
        await store.delete(name)
    model = MemoryStore()
    for step in taken:
        assert await take(store, step) == await take(model, step)
        assert await view(store) == await view(model)


async def test_unused_sessions_make_room_first() -> None:
    store = MemoryStore(capacity=4)
    for name, status in (("f", Status.FINISHED), ("r", Status.RUNNING), ("c", Status.CREATED)):
        await store.create(record(name, status))
    for number in range(100):
        await store.create(record(str(number)))
    kept = [name for name in ("f", "r", "c", "98", "99") if await store.get(name)]
    assert kept == ["f", "r", "98", "99"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Status)), max_size=60))
async def test_memory_never_holds_more_than_it_may_unless_all_run(
    puts: list[tuple[int, Status]],
) -> None:
    store, capacity = MemoryStore(capacity=3), 3
    for number, status in puts:
        name, owner = str(number), "x" if status in {Status.CONNECTED, Status.RUNNING} else None
        fields: dict[str, Any] = {"status": status, "owner": owner}
        if await store.change(name, fields, when=always) is None:
            await store.create(record(name, **fields))
        kept = await store.get(name)
        assert kept is not None
        assert kept.status is status
        held = await ids(store)
        assert len(held) <= max(capacity, len(await store.owned_by("x")) + 1)
