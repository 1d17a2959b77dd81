import asyncio
import sqlite3
import stat
import sys
import time
from pathlib import Path

import pytest

from liveness.errors import StoreUnavailable
from liveness.store.schema import STEPS
from liveness.store.sqlite import SqliteStore
from tests.store_worker import VERDICT, record

ROOT = Path(__file__).parents[2]


async def start(what: str, path: Path) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.store_worker", what, f"sqlite:{path}")
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "store.db"
    store = await SqliteStore.open(path)
    await store.create(record("a"))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await store.close()
    assert [each.name for each in path.parent.iterdir()] == ["store.db"]


async def test_what_is_deleted_is_erased(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.create(record("a", metadata={"name": "Rumpelstiltskin"}))
    await store.put_picture("a", "front", b"straw into gold" * 1000)
    await store.close()
    assert b"Rumpelstiltskin" in path.read_bytes()
    store = await SqliteStore.open(path)
    await store.delete("a")
    await store.close()
    content = path.read_bytes()
    assert b"Rumpelstiltskin" not in content
    assert b"straw into gold" not in content


async def test_what_is_deleted_is_erased_from_the_log_as_soon_as_nobody_reads_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"

    def kept() -> list[str]:
        return [each.name for each in tmp_path.iterdir() if b"Rumpel" in each.read_bytes()]

    store, other = await SqliteStore.open(path), await SqliteStore.open(path)
    await store.beat("a process")
    await store.create(record("a", metadata={"name": "Rumpelstiltskin"}))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM sessions").fetchone()
    await store.delete("a")
    await store.beat("a process")
    assert kept() == ["store.db-wal"]
    await other.create(record("b"))
    reader.close()
    await store.beat("a process")
    assert kept() == []
    assert await store.get("b") is not None
    for each in (store, other):
        await each.close()


async def test_it_is_opened_by_many_at_once_and_made_by_one(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stores = await asyncio.gather(*(SqliteStore.open(path) for _ in range(8)))
    for number, store in enumerate(stores):
        await store.create(record(str(number)))
    assert len((await stores[0].page(None, after=None, limit=10)).records) == 8
    for store in stores:
        await store.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


async def test_steps_are_taken_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.create(record("a"))
    await store.close()
    further = ("ALTER TABLE locks ADD COLUMN reason TEXT", "CREATE TABLE locks (key TEXT)")
    with monkeypatch.context() as patch:
        patch.setattr("liveness.store.schema.STEPS", (*STEPS, further))
        with pytest.raises(StoreUnavailable, match="locks already exists"):
            await SqliteStore.open(path)
        patch.setattr("liveness.store.schema.STEPS", (*STEPS, further[:1]))
        store = await SqliteStore.open(path)
        assert await store.get("a") is not None
        await store.close()
    with pytest.raises(StoreUnavailable, match="newer server"):
        await SqliteStore.open(path)


async def test_what_is_no_store_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match=r"store\.db cannot be used: file is not a database"):
        await SqliteStore.open(path)
    assert path.read_bytes() == b"no database" * 1000
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await SqliteStore.open(tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await SqliteStore.open(path / "below a file.db")


async def test_a_file_that_is_damaged_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    for number in range(100):
        await store.create(record(str(number)))
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # all but the first page
    path.write_bytes(content)
    store = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable) as caught:
        await store.get("7")
    assert caught.value.status == 503
    assert str(tmp_path) not in caught.value.detail  # that is for the log
    assert caught.value.headers["Retry-After"]
    await store.close()


async def test_a_lock_that_nobody_lets_go_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.store.schema.BUSY_TIMEOUT", 0.1)
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.create(record("a"))
    assert await store.get("a") is None  # reading goes on
    other.execute("ROLLBACK")
    await store.create(record("a"))
    other.close()
    await store.close()


async def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    worker = await start("fill", tmp_path / "store.db")
    out, _ = await worker.communicate()
    said = [line for line in out.decode().splitlines() if " store " not in line]
    assert said == ["full", "not ready", "readable writable"]
    store = await SqliteStore.open(tmp_path / "store.db")
    assert await store.get("first") is not None
    assert await store.get("last") is not None
    await store.close()


async def test_verdicts_that_were_told_survive_a_kill(tmp_path: Path) -> None:
    worker = await start("finish", tmp_path / "store.db")
    assert worker.stdout is not None
    for _ in range(50):
        await worker.stdout.readline()
    worker.kill()
    told = int((b"49\n" + await worker.stdout.read()).split()[-1]) + 1
    await worker.wait()
    store = await SqliteStore.open(tmp_path / "store.db")
    for number in range(told):
        kept = await store.get(str(number))
        assert kept is not None
        assert kept.verdict == VERDICT
    print(f"{told} verdicts told, {told} found after kill -9")
    await store.close()


async def test_a_lock_does_not_last_for_as_long_as_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    await store.lock("a", 60)
    assert 0 < await store.locked("a") <= 60
    monkeypatch.setattr(time, "time", lambda: now)
    assert await store.locked("a") == 0.0
    await store.close()
