"""What every process does now and then: beat, end the sessions of those that died, forget."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import count

import structlog

from liveness.errors import StoreUnavailable
from liveness.expiry import ExpiryClock
from liveness.ledger import Ledger
from liveness.session import Session
from liveness.store import Store
from liveness.verdict import Reason

BEAT_INTERVAL = 2.0
"""Seconds between two beats, and between two looks at those of others."""

MISSED = 5
"""Looks in a row without a beat after which a process is dead: 10 s, beyond any pause of a busy
one, and soon enough for a person who waits."""

SWEEP_LOOKS = 15
"""Looks between two sweeps of what is over: half a minute."""

log = structlog.get_logger(__name__)


class Watch:
    """Tells which processes are dead: they have not beaten between several looks in a row.

    Looks are counted and not seconds: after the store was away, or this process stopped for a
    while, nobody else is taken for dead at once.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}  # beats, and looks since there was one

    def look(self, beats: Mapping[str, int]) -> set[str]:
        """Take a look; gives the owners that are dead."""
        seen = {}
        for owner, number in beats.items():
            before, looks = self._seen.get(owner, (None, 0))
            seen[owner] = (number, looks + 1 if number == before else 0)
        self._seen = seen
        return {owner for owner, (_, looks) in seen.items() if looks >= MISSED}


class Upkeep:
    """Runs as long as this process takes sessions; `live`, `claimed`: those that it has now."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        live: Mapping[str, Session],
        claimed: Collection[str],
        clock: ExpiryClock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._live = live
        self._claimed = claimed
        self._clock = clock
        self._watch = Watch()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="upkeep")

    async def close(self) -> None:
        """Stop, not in the middle of a change, and take leave of the others."""
        self._stop.set()
        await self._task
        try:
            await self._store.retire(self._ledger.owner)
        except StoreUnavailable:  # then they find out
            log.warning("process not signed off")

    async def _run(self) -> None:
        for look in count(1):
            try:
                await self._look()
                if look % SWEEP_LOOKS == 0:
                    await self._ledger.sweep(self._clock.now())
            except StoreUnavailable as error:
                log.warning("upkeep has to wait", detail=error.detail)
            except Exception:  # one bad record must not end it
                log.exception("upkeep failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), BEAT_INTERVAL)
            if self._stop.is_set():
                return

    async def _look(self) -> None:
        await self._store.beat(self._ledger.owner)
        await self._check_own()
        await self._bury()

    async def _check_own(self) -> None:
        """End what was deleted or left through another process, and what is claimed for nothing."""
        live = dict(self._live)  # sessions that begin from now on need not be among the kept
        kept = {record.id: record for record in await self._store.owned_by(self._ledger.owner)}
        for session_id, session in live.items():
            if session_id not in kept:
                session.stop(Reason.DELETED)
            elif kept[session_id].entity_tag is None:
                session.stop(Reason.PEER_LEFT)
        for record in kept.values():
            if record.id not in self._claimed:
                await self._ledger.lose(record)

    async def _bury(self) -> None:
        """End the sessions of processes that died."""
        dead = self._watch.look(await self._store.beats()) - {self._ledger.owner}
        for owner in dead:
            await self._ledger.bury(owner)
