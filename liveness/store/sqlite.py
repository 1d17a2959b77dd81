"""Records in an SQLite file, shared by the processes of one machine.

What belongs to a record or a key is on the disk before the call returns (`synchronous=FULL`): a
verdict that was told survives a power cut. Beats, limits and locks are not waited for (`NORMAL`):
they survive only the end of the process. https://www.sqlite.org/pragma.html#pragma_synchronous

What is deleted is overwritten in the file. In the log beside it it stands until a beat at
which nobody else reads.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from liveness.errors import StoreUnavailable
from liveness.store import (
    BATCH,
    FARTHEST,
    Page,
    Record,
    Status,
    Store,
    microseconds,
    wait_for_room,
)
from liveness.store.link import RETRY_AFTER, Link
from liveness.store.schema import BUSY_TIMEOUT, open_database

Rows = list[tuple[Any, ...]]
Work = Callable[[sqlite3.Connection], Any]

_INSERT = """INSERT OR IGNORE INTO sessions
    (revision, token_digest, status, key_name, place, expires_at, owner, due_at, body, id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE = """UPDATE sessions SET revision = ?, token_digest = ?, status = ?, key_name = ?,
    place = ?, expires_at = ?, owner = ?, due_at = ?, body = ? WHERE id = ? AND revision = ?"""
_DELETE = "DELETE FROM sessions WHERE id = ? AND revision = ?"
_PICTURE = """INSERT OR REPLACE INTO pictures (session_id, name, data)
    SELECT id, ?, ? FROM sessions WHERE id = ?"""


class SqliteStore(Store):
    """A connection that a thread of its own works with: each call is one job, one transaction."""

    def __init__(self, database: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        """Use `open`."""
        self._database = database
        self._thread = thread
        self._erased = False  # before this process there may have been one that was killed
        self._link = Link(sqlite3.Error, ValidationError)

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the file or make it; raises `StoreUnavailable`."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            opening = asyncio.get_running_loop().run_in_executor(thread, open_database, path)
            return cls(await opening, thread)
        except (OSError, sqlite3.Error) as error:
            thread.shutdown()
            detail = f"The store {path} cannot be used: {error}"
            raise StoreUnavailable(detail, retry_after=RETRY_AFTER) from error

    async def _run(self, job: Callable[[], Any]) -> Any:
        with self._link.used():
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def _read(self, sql: str, *values: object) -> Rows:
        def read() -> Rows:
            return self._database.execute(sql, values).fetchall()

        rows: Rows = await self._run(read)
        return rows

    async def _records(self, condition: str, *values: object) -> list[Record]:
        def read() -> list[Record]:
            sql = f"SELECT body FROM sessions {condition}"  # noqa: S608 - ours, no values
            rows = self._database.execute(sql, values)
            return [Record.model_validate_json(body) for (body,) in rows]

        records: list[Record] = await self._run(read)
        return records

    async def _write(self, work: Work, *, durable: bool = True) -> Any:
        """Do `work` at once or not at all; `durable`: and wait for the disk."""
        database = self._database

        def write() -> Any:
            database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            database.execute("BEGIN IMMEDIATE")
            try:
                result = work(database)
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # some errors have rolled back already
                    database.execute("ROLLBACK")
                raise
            return result

        return await self._run(write)

    async def _commit(self, session_id: str, old: Record | None, new: Record | None) -> bool:
        if old is None and new is not None:
            sql, values = _INSERT, (*_columns(new), session_id)
        elif old is not None and new is not None:
            sql, values = _UPDATE, (*_columns(new), session_id, old.revision)
        else:
            sql, values = _DELETE, (session_id, old and old.revision)

        def commit(database: sqlite3.Connection) -> bool:
            self._erased = self._erased and new is not None
            return database.execute(sql, values).rowcount == 1

        done: bool = await self._write(commit)
        return done

    async def get(self, session_id: str) -> Record | None:
        """Find a record."""
        return next(iter(await self._records("WHERE id = ?", session_id)), None)

    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""
        return next(iter(await self._records("WHERE token_digest = ?", token_digest)), None)

    async def page(
        self, status: Status | None, *, key_name: str | None = None, after: str | None, limit: int
    ) -> Page:
        """List records, newest first."""
        conditions = {"status = ?": status, "place < ?": after}
        given = {sql: value for sql, value in conditions.items() if value is not None}
        where = " AND ".join(["WHERE key_name IS ?", *given])
        sql = f"{where} ORDER BY place DESC LIMIT ?"
        return Page.of(await self._records(sql, key_name, *given.values(), limit + 1), limit)

    async def expired(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose time is over and which no process is at work on."""
        sql = "WHERE owner IS NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?"
        return await self._records(sql, microseconds(now), limit)

    async def due(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose verdict is to be delivered, the longest due first."""
        sql, far = "WHERE due_at {} ? ORDER BY due_at, place LIMIT ?", microseconds(now + FARTHEST)
        found = await self._records(sql.format("<="), microseconds(now), limit)
        return found + await self._records(sql.format(">"), far, limit - len(found))

    async def owned_by(self, owner: str) -> list[Record]:
        """Find the records that a process is at work on."""
        return await self._records("WHERE owner = ?", owner)

    async def beat(self, owner: str) -> None:
        """Tell that a process lives."""
        sql = """INSERT INTO owners (owner, beats) VALUES (?, 1)
            ON CONFLICT (owner) DO UPDATE SET beats = beats + 1"""
        await self._write(lambda db: db.execute(sql, (owner,)), durable=False)
        await self._run(self._erase)

    def _erase(self) -> None:
        """Empty the log, if something was deleted; next time, if others are at work just now."""
        if not self._erased:
            self._database.execute("PRAGMA busy_timeout = 0")
            try:
                checkpoint = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._erased = checkpoint.fetchone()[0] == 0  # 1: busy
            finally:
                self._database.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")

    async def beats(self) -> dict[str, int]:
        """How often each process has told so."""
        return dict(await self._read("SELECT owner, beats FROM owners"))

    async def retire(self, owner: str) -> None:
        """Forget a process."""
        sql = "DELETE FROM owners WHERE owner = ?"
        await self._write(lambda db: db.execute(sql, (owner,)), durable=False)

    async def hit(self, key: str, *, limit: int, window: float) -> float:
        """Count one more hit, if there is room for it."""

        def count(database: sqlite3.Connection) -> float:
            now = time.time()
            database.execute("DELETE FROM hits WHERE until <= ?", (now,))
            row = database.execute("SELECT times FROM hits WHERE key = ?", (key,)).fetchone()
            times: list[float] = [] if row is None else json.loads(row[0])
            wait = wait_for_room(times, now, limit=limit, window=window)
            if not wait:
                times = [now, *times[: limit - 1]]
                sql = "INSERT OR REPLACE INTO hits (key, times, until) VALUES (?, ?, ?)"
                database.execute(sql, (key, json.dumps(times), now + window))
            return wait

        wait: float = await self._write(count, durable=False)
        return wait

    async def lock(self, key: str, seconds: float) -> None:
        """Lock something for a while."""

        def keep(database: sqlite3.Connection) -> None:
            now = time.time()
            database.execute("DELETE FROM locks WHERE until <= ?", (now,))
            sql = "INSERT OR REPLACE INTO locks (key, since, until) VALUES (?, ?, ?)"
            database.execute(sql, (key, now, now + seconds))

        await self._write(keep, durable=False)

    async def locked(self, key: str) -> float:
        """For how many more seconds it is locked."""
        now = time.time()
        # What was locked in the future, by a clock that was set back, is not for that long.
        sql = "SELECT until FROM locks WHERE key = ? AND since <= ?"
        rows = await self._read(sql, key, now)
        return max(0.0, rows[0][0] - now) if rows else 0.0

    async def publish_key(self, kid: str, jwk: Mapping[str, Any], expires_at: datetime) -> None:
        """Let every process know a public key."""
        sql = "INSERT OR REPLACE INTO keys (kid, jwk, expires_at) VALUES (?, ?, ?)"
        values = (kid, json.dumps(jwk), microseconds(expires_at))
        await self._write(lambda db: db.execute(sql, values))

    async def keys(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The public keys by their names."""
        sql = "SELECT kid, jwk FROM keys WHERE expires_at > ?"
        return {kid: json.loads(jwk) for kid, jwk in await self._read(sql, microseconds(now))}

    async def put_picture(self, session_id: str, name: str, data: bytes) -> None:
        """Keep a picture of a session, unless that was deleted."""
        await self._write(lambda db: db.execute(_PICTURE, (name, data, session_id)))

    async def pictures(self, session_id: str) -> list[str]:
        """The names of a session's pictures, sorted."""
        sql = "SELECT name FROM pictures WHERE session_id = ? ORDER BY name"
        return [name for (name,) in await self._read(sql, session_id)]

    async def picture(self, session_id: str, name: str) -> bytes | None:
        """Find a picture."""
        sql = "SELECT data FROM pictures WHERE session_id = ? AND name = ?"
        rows = await self._read(sql, session_id, name)
        return rows[0][0] if rows else None

    async def ping(self) -> None:
        """Write something: a full disk can be read as ever."""
        await self.lock("ping", 0)

    async def close(self) -> None:
        """Close the file; what the log beside it holds goes into it."""
        await self._run(self._database.close)
        self._thread.shutdown()


def _columns(record: Record) -> tuple[object, ...]:
    due_at = None if record.due_at is None else microseconds(record.due_at)
    return (
        record.revision,
        record.token_digest,
        record.status,
        record.key_name,
        record.place,
        microseconds(record.expires_at),
        record.owner,
        due_at,
        record.model_dump_json(),
    )
