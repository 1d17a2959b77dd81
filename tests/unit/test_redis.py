# ruff: noqa: SLF001 - what is in Redis is looked at from inside

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from liveness.errors import StoreUnavailable
from liveness.store import Status
from liveness.store.redis import GRACE, RedisStore
from tests.redis_server import RedisServer
from tests.store_worker import VERDICT, record

PASSWORD = "open-sesame"  # noqa: S105 - of a server of this test


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that writes everything to its disk at once."""
    durable = ("--appendonly", "yes", "--appendfsync", "always", "--requirepass", PASSWORD)
    with RedisServer(tmp_path, *durable) as server:
        yield server


def url(server: RedisServer, password: str = PASSWORD) -> str:
    return server.url.replace("//", f"//:{password}@")


@pytest_asyncio.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    store = await RedisStore.open(url(server))
    yield store
    await store.close()


async def test_a_wrong_password_is_told_but_not_repeated(server: RedisServer) -> None:
    wrong = PASSWORD[::-1]
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as caught:
        await RedisStore.open(url(server, wrong))
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_a_server_that_goes_is_told_soon_and_one_that_comes_back_is_used(
    server: RedisServer, store: RedisStore, capsys: pytest.CaptureFixture[str]
) -> None:
    await store.create(record("a"))
    await store.change("a", {"verdict": VERDICT, "status": Status.FINISHED}, when=bool)
    server.kill()
    started = time.monotonic()
    for call in (
        store.get("a"),
        store.ping(),
        store.delete("a"),
        store.hit("a", limit=1, window=1),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            await call
        assert caught.value.status == 503
    assert time.monotonic() - started < 10
    server.start()
    kept = await store.get("a")
    assert kept is not None
    assert kept.verdict == VERDICT
    assert await store.hit("a", limit=1, window=1) == 0.0  # with scripts that it had forgotten
    logged = capsys.readouterr().out
    assert logged.count("store unavailable") == logged.count("store available again") == 1
    assert PASSWORD not in logged


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(store: RedisStore) -> None:
    await store.create(record("a"))
    old = await store.get("a")
    assert old is not None
    new = old.changed({"owner": "me"})
    assert await store._commit("a", old, new)
    assert await store._commit("a", old, new)  # what is sent again was done
    assert not await store._commit("a", old, old.changed({"owner": "me"}))
    assert await store.get("a") == new


async def test_redis_forgets_by_itself_what_is_long_over(store: RedisStore) -> None:
    over = datetime.now(UTC) - GRACE + timedelta(seconds=0.3)
    await store.create(record("a", owner="me", expires_at=over))
    await store.put_picture("a", "front", b"1")
    await store.create(record("b"))
    await store.change("a", {"owner": None}, when=bool)
    await store.put_picture("a", "left", b"2")
    assert await store.pictures("a") == ["front", "left"]
    await asyncio.sleep(0.35)
    assert await store.get("a") is await store.find("digest of a") is None
    assert await store.pictures("a") == []
    assert [each.id for each in (await store.page(None, after=None, limit=9)).records] == ["b"]
    assert await store.expired(datetime.now(UTC)) == []
    left = await store._redis.keys("*")
    assert not [key for key in left if b"digest of a" in key or b":a" in key]


async def test_nothing_of_a_deleted_session_is_left(store: RedisStore) -> None:
    await store.create(record("a", owner="me"))
    await store.put_picture("a", "front", b"1")
    await store.delete("a")
    assert await store._redis.keys("*") == []
