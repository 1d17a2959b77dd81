from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from liveness.store import Record, Status
from liveness.store.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(name: str, status: Status = Status.CREATED, minutes: int = 10) -> Record:
    return Record(
        id=name,
        token_digest=f"digest of {name}",
        challenges=None,
        status=status,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=minutes),
    )


async def test_a_record_is_found_by_id_and_by_token() -> None:
    store = MemoryStore()
    await store.put(record("a"))
    assert await store.get("a") == await store.find("digest of a") == record("a")
    await store.put(record("a", Status.RUNNING))
    assert await store.get("a") == await store.find("digest of a") == record("a", Status.RUNNING)
    await store.delete("a")
    await store.delete("a")
    assert await store.get("a") is await store.find("digest of a") is None


async def test_time_is_over_for_those_that_do_not_run() -> None:
    store = MemoryStore()
    for status in Status:
        await store.put(record(status.value, status))
    assert list(await store.expired(NOW)) == []
    over = {each.id for each in await store.expired(NOW + timedelta(minutes=10))}
    assert over == {"created", "expired", "finished"}


async def test_unused_sessions_make_room_first() -> None:
    store = MemoryStore(capacity=4)
    for name, status in (("f", Status.FINISHED), ("r", Status.RUNNING), ("c", Status.CREATED)):
        await store.put(record(name, status))
    for number in range(100):
        await store.put(record(str(number)))
    kept = [name for name in ("f", "r", "c", "98", "99") if await store.get(name)]
    assert kept == ["f", "r", "98", "99"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Status)), max_size=60))
async def test_it_never_holds_more_than_it_may_unless_all_run(
    puts: list[tuple[int, Status]],
) -> None:
    store, capacity = MemoryStore(capacity=3), 3
    latest: dict[str, Record] = {}
    for number, status in puts:
        each = record(str(number), status)
        latest[each.id] = each
        await store.put(each)
        assert await store.get(each.id) == each
        held = [kept for name in latest if (kept := await store.get(name))]
        assert all(latest[kept.id] == kept for kept in held)
        running = [kept for kept in held if kept.status in {Status.CONNECTED, Status.RUNNING}]
        assert len(held) <= max(capacity, len(running) + 1)
