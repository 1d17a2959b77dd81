"""What becomes of a session's record: claimed by one process, opened, finished or lost, swept.

Every step is a change that only one process can make (see `Store.change`), and none overwrites a
verdict.
"""

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from liveness.errors import Conflict, NotFound, StoreUnavailable
from liveness.store import BATCH, Record, Status, Store
from liveness.verdict import Reason, Verdict, decide

KEEP_LIMIT = 30.0
"""Seconds for which a verdict is offered to a store that is unavailable: a restart takes less."""

KEEP_INTERVAL = 0.5
"""Seconds between two such tries."""

IN_USE = "The session is in use, or over; start another"

log = structlog.get_logger(__name__)

Lost = Callable[[Verdict, Record], Verdict]


class Ledger:
    """The records, as this process may change them; all methods raise `StoreUnavailable`.

    `owner` names this process. `retention`: how long sessions are kept that are over. `sign` gives
    a token to the verdict of a session that another process has lost.
    """

    def __init__(
        self, store: Store, retention: timedelta, sign: Lost, owner: str | None = None
    ) -> None:
        self.owner = owner or str(uuid.uuid4())
        self._store = store
        self._retention = retention
        self._sign = sign

    async def claim(self, session_id: str) -> None:
        """Take a session that nobody has taken; raises `Conflict`."""
        fields = {"owner": self.owner}
        if await self._store.change(session_id, fields, when=_is_free) is None:
            raise Conflict(IN_USE)

    async def release(self, record: Record) -> None:
        """Give back a session that was claimed, as it was then: it may be tried again."""
        fields = {"owner": None, "entity_tag": None, "expires_at": record.expires_at}
        await self._store.change(record.id, fields, when=self._owns)

    async def open(self, session_id: str) -> Record:
        """Give a claimed session its WHIP resource; raises `NotFound` if it was deleted."""
        fields = {
            "entity_tag": secrets.token_urlsafe(9),
            "expires_at": datetime.now(UTC) + self._retention,
        }
        record = await self._store.change(session_id, fields, when=self._owns)
        if record is None:
            raise NotFound("There is no such session")
        return record

    async def keep(self, record: Record, status: Status) -> None:
        """Keep how far a session has come, if that can be: no reason to end it where it cannot."""
        try:
            await self._store.change(record.id, {"status": status}, when=self._owns)
        except StoreUnavailable as error:
            log.warning("status not kept", status=status, detail=error.detail)

    async def finish(self, record: Record, verdict: Verdict) -> None:
        """Keep the verdict, at once or as soon as the store is back.

        Raises `Conflict` where another process took this one for dead and ended the session: then
        nobody may be told anything else.
        """
        until = time.monotonic() + KEEP_LIMIT
        while True:
            try:
                await self._finish(record, verdict)
            except StoreUnavailable:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(KEEP_INTERVAL)
            else:
                return

    async def _finish(self, record: Record, verdict: Verdict) -> None:
        if await self._store.change(record.id, self._over(record, verdict), when=self._owns):
            return
        other = await self._store.get(record.id)
        # The same verdict: kept by the try before, whose answer was lost.
        if other is not None and other.verdict != verdict:
            raise Conflict("The session was ended by another process")

    async def lose(self, record: Record) -> None:
        """End the session of a process that is gone; exactly one of the others succeeds.

        A session whose peer got no answer yet may be tried again.
        """

        def unchanged(kept: Record) -> bool:
            return kept.owner == record.owner

        fields: dict[str, object] = {"owner": None}
        if not _is_new(record):
            now, reasons = datetime.now(UTC), (Reason.SERVER_LOST,)
            verdict = decide((), reasons, frames=0, seconds=0.0, finished_at=now)
            fields = self._over(record, self._sign(verdict, record))
        if await self._store.change(record.id, fields, when=unchanged) is not None:
            log.warning("session lost with its process", session=record.id)

    async def bury(self, owner: str) -> None:
        """End all sessions of a process that is gone, and forget it."""
        for record in await self._store.owned_by(owner):
            await self.lose(record)
        await self._store.retire(owner)

    async def leave(self, session_id: str) -> None:
        """Take the WHIP resource off a session; raises `NotFound`."""
        if await self._store.change(session_id, {"entity_tag": None}, when=_always) is None:
            raise NotFound("There is no such session")

    async def sweep(self, now: datetime) -> None:
        """Mark unused sessions as expired, and forget what is over for longer than is kept."""
        more = True
        while more:
            batch = await self._store.expired(now, BATCH)
            more = len(batch) == BATCH
            for record in batch:
                if record.status is Status.CREATED:
                    fields = {"status": Status.EXPIRED, "expires_at": now + self._retention}
                    await self._store.change(record.id, fields, when=_is_free)
                else:
                    await self._store.delete(record.id)

    def _owns(self, kept: Record) -> bool:
        return kept.owner == self.owner

    def _over(self, record: Record, verdict: Verdict) -> dict[str, object]:
        """The fields of a session that is over; its webhook, if any, is to be told at once."""
        now, delivery = datetime.now(UTC), record.delivery
        return {
            "status": Status.FINISHED,
            "verdict": verdict,
            "owner": None,
            "expires_at": now + self._retention,
            "delivery": delivery and delivery.model_copy(update={"due_at": now}),
        }


def _is_new(kept: Record) -> bool:
    return kept.status is Status.CREATED and kept.entity_tag is None


def _is_free(kept: Record) -> bool:
    return kept.status is Status.CREATED and kept.owner is None


def _always(_: Record) -> bool:
    return True
