"""Records in the memory of this process: gone when it ends."""

from collections.abc import Collection
from datetime import datetime

from liveness.store import Record, Status

MAX_RECORDS = 20_000
"""At about 2 KB a record, 40 MB: what a flood of new sessions can take at most."""


class MemoryStore:
    """A store of limited size.

    A session that nobody has used yet makes room for a newer one, and where there is none, the
    oldest that is over.
    """

    def __init__(self, capacity: int = MAX_RECORDS) -> None:
        self._capacity = capacity
        self._ids: dict[str, str] = {}
        # Dictionaries keep their order: the first entry is the oldest.
        self._by_status: dict[Status, dict[str, Record]] = {status: {} for status in Status}

    async def put(self, record: Record) -> None:
        """Keep a record, in place of the one with the same `id`."""
        for status, records in self._by_status.items():
            if status is not record.status:
                records.pop(record.id, None)
        self._by_status[record.status][record.id] = record
        self._ids[record.token_digest] = record.id
        if len(self._ids) > self._capacity:
            await self._make_room(record.id)

    async def get(self, session_id: str) -> Record | None:
        """Find a record."""
        found = (records.get(session_id) for records in self._by_status.values())
        return next(filter(None, found), None)

    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""
        session_id = self._ids.get(token_digest)
        return None if session_id is None else await self.get(session_id)

    async def delete(self, session_id: str) -> None:
        """Forget a record."""
        for records in self._by_status.values():
            record = records.pop(session_id, None)
            if record is not None:
                del self._ids[record.token_digest]

    async def expired(self, now: datetime) -> Collection[Record]:
        """Find the records whose time is over; those that run have no end of their own."""
        over = (Status.CREATED, Status.EXPIRED, Status.FINISHED)
        return [
            record
            for status in over
            for record in self._by_status[status].values()
            if record.expires_at <= now
        ]

    async def _make_room(self, newest: str) -> None:
        for status in (Status.EXPIRED, Status.CREATED, Status.FINISHED):
            oldest = next((each for each in self._by_status[status] if each != newest), None)
            if oldest is not None:
                await self.delete(oldest)
                return
