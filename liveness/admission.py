"""Who may come in: as many as there is room for, so that those inside do not suffer."""

import asyncio
import time

import structlog

from liveness.errors import ServerFull
from liveness.load import Load, Sample
from liveness.metrics import Meter, Metrics
from liveness.vitals import Vitals

SAMPLE_INTERVAL = 0.5
"""Seconds between two looks at the load."""

RETRY_AFTER = 10
"""Seconds after which a full server may be asked again: about what a session takes."""

log = structlog.get_logger(__name__)


class Admission:
    """The door of one process, which may use so many `cores`.

    `most_load`: see `Settings`; 0 leaves it to `places` alone.
    """

    def __init__(self, metrics: Metrics, meter: Meter, *, cores: float, most_load: float) -> None:
        self._metrics = metrics
        self._meter = meter
        self._load = Load(cores, most_load) if most_load else None
        self._inside = 0
        self._task = asyncio.create_task(self._watch(), name="load")

    def enter(self, inside: int, places: int) -> None:
        """Let one more in beside those `inside`; raises `ServerFull`."""
        if inside >= places:
            self._refuse("places")
        now = time.monotonic()
        if self._load is not None:
            if not self._load.has_room(now):
                self._refuse("load")
            self._load.enter(now)
        self._inside = inside + 1

    def inside(self, sessions: int) -> None:
        """Hear how many there are now."""
        self._inside = sessions

    async def close(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _refuse(self, reason: str) -> None:
        self._metrics.refused.labels(reason).inc()
        log.info("session refused", reason=reason, inside=self._inside)
        raise ServerFull(retry_after=RETRY_AFTER)

    async def _watch(self) -> None:
        """Look at the load, and at how late this task is itself."""
        vitals = Vitals(self._metrics)
        while True:
            due = time.monotonic() + SAMPLE_INTERVAL
            await asyncio.sleep(SAMPLE_INTERVAL)
            now = time.monotonic()
            self._metrics.loop_lag.observe(max(0.0, now - due))
            vitals.look()
            if self._load is not None:
                meter = self._meter
                sample = Sample(now, time.process_time(), meter.received, meter.late, self._inside)
                self._load.update(sample)
