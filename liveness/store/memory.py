"""Records in the memory of this process: gone when it ends, and shared with no other."""

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from liveness.store import BATCH, Page, Record, Status, Store, is_due, wait_for_room

MAX_RECORDS = 20_000
"""At about 2 KB a record, 40 MB: what a flood of new sessions can take at most."""

MAX_PICTURES = 256 * 2**20
"""Bytes of pictures; those of the oldest sessions go first."""

MAX_KEYS = 50_000
"""Limits, and as many locks, that are remembered; the least recent go first."""


Value = TypeVar("Value")


class MemoryStore(Store):
    """A store of limited size.

    A session that nobody has used yet makes room for a newer one, and where there is none, the
    oldest that is over.
    """

    def __init__(
        self, capacity: int = MAX_RECORDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._ids: dict[str, str] = {}  # by the digests of tokens
        # Dictionaries keep their order: the first entry is the oldest.
        self._by_status: dict[Status, dict[str, None]] = {status: {} for status in Status}
        self._beats: dict[str, int] = {}
        self._hits: dict[str, list[float]] = {}
        self._locks: dict[str, float] = {}
        self._keys: dict[str, tuple[dict[str, Any], datetime]] = {}
        self._pictures: dict[str, dict[str, bytes]] = {}

    async def _commit(self, session_id: str, old: Record | None, new: Record | None) -> bool:
        kept = self._records.get(session_id)
        if (kept and kept.revision) != (old and old.revision):
            return False
        if new is None:
            self._forget(session_id)
            return True
        if kept is None and new.token_digest in self._ids:
            return False
        if kept is not None and kept.status is not new.status:
            del self._by_status[kept.status][session_id]
        self._by_status[new.status][session_id] = None
        self._records[session_id] = new
        self._ids[new.token_digest] = session_id
        if len(self._records) > self._capacity:
            self._make_room(session_id)
        return True

    def _forget(self, session_id: str) -> None:
        record = self._records.pop(session_id)
        del self._by_status[record.status][session_id]
        del self._ids[record.token_digest]
        self._pictures.pop(session_id, None)

    def _make_room(self, newest: str) -> None:
        for status in (Status.EXPIRED, Status.CREATED, Status.FINISHED):
            for each in self._by_status[status]:
                if each != newest and self._records[each].owner is None:
                    self._forget(each)
                    return

    async def get(self, session_id: str) -> Record | None:
        """Find a record."""
        return self._records.get(session_id)

    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""
        session_id = self._ids.get(token_digest)
        return None if session_id is None else self._records[session_id]

    async def page(
        self, status: Status | None, *, key_name: str | None = None, after: str | None, limit: int
    ) -> Page:
        """List records, newest first."""
        matching = (
            record
            for record in self._records.values()
            if record.key_name == key_name
            and (status is None or record.status is status)
            and (after is None or record.place < after)
        )
        found = heapq.nlargest(limit + 1, matching, key=lambda record: record.place)
        return Page.of(found, limit)

    async def expired(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose time is over and which no process is at work on."""
        over = (
            record
            for record in self._records.values()
            if record.owner is None and record.expires_at <= now
        )
        return list(islice(over, limit))

    async def due(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose verdict is to be delivered, the longest due first."""
        found = [
            (record.due_at, record.place, record)
            for record in self._records.values()
            if is_due(record.due_at, now)
        ]
        return [record for *_, record in sorted(found, key=lambda each: each[:2])[:limit]]

    async def owned_by(self, owner: str) -> list[Record]:
        """Find the records that a process is at work on."""
        return [record for record in self._records.values() if record.owner == owner]

    async def beat(self, owner: str) -> None:
        """Tell that a process lives."""
        self._beats[owner] = self._beats.get(owner, 0) + 1

    async def beats(self) -> dict[str, int]:
        """How often each process has told so."""
        return dict(self._beats)

    async def retire(self, owner: str) -> None:
        """Forget a process."""
        self._beats.pop(owner, None)

    async def hit(self, key: str, *, limit: int, window: float) -> float:
        """Count one more hit, if there is room for it."""
        now = self._clock()
        times = self._hits.pop(key, [])
        wait = wait_for_room(times, now, limit=limit, window=window)
        _keep(self._hits, key, times if wait else [now, *times[: limit - 1]])
        return wait

    async def lock(self, key: str, seconds: float) -> None:
        """Lock something for a while."""
        self._locks.pop(key, None)
        _keep(self._locks, key, self._clock() + seconds)

    async def locked(self, key: str) -> float:
        """For how many more seconds it is locked."""
        return max(0.0, self._locks.get(key, 0.0) - self._clock())

    async def publish_key(self, kid: str, jwk: Mapping[str, Any], expires_at: datetime) -> None:
        """Let every process know a public key."""
        self._keys[kid] = dict(jwk), expires_at

    async def keys(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The public keys by their names."""
        self._keys = {kid: each for kid, each in self._keys.items() if each[1] > now}
        return {kid: jwk for kid, (jwk, _) in self._keys.items()}

    async def put_picture(self, session_id: str, name: str, data: bytes) -> None:
        """Keep a picture of a session, unless that was deleted."""
        if session_id in self._records:
            self._pictures.setdefault(session_id, {})[name] = data
        while len(self._pictures) > 1 and _size(self._pictures.values()) > MAX_PICTURES:
            del self._pictures[next(iter(self._pictures))]

    async def pictures(self, session_id: str) -> list[str]:
        """The names of a session's pictures, sorted."""
        return sorted(self._pictures.get(session_id, {}))

    async def picture(self, session_id: str, name: str) -> bytes | None:
        """Find a picture."""
        return self._pictures.get(session_id, {}).get(name)

    async def ping(self) -> None:
        """It can always be written to."""

    async def close(self) -> None:
        """There is nothing to let go of."""


def _size(albums: Iterable[dict[str, bytes]]) -> int:
    return sum(len(data) for album in albums for data in album.values())


def _keep(entries: dict[str, Value], key: str, value: Value) -> None:
    entries[key] = value
    if len(entries) > MAX_KEYS:
        del entries[next(iter(entries))]
