"""The time by which sessions expire: that of the wall clock, unless it jumps."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=5)
"""By which the wall clock may run ahead between two looks at it without having jumped."""


def _wall() -> datetime:
    return datetime.now(UTC)


class ExpiryClock:
    """Follows the wall clock back at once, and ahead only after `grace`.

    What was made before a jump ahead, of a clock that was set or a machine that slept, so has at
    least as long as it was given: nothing expires at once. `grace`: what sessions are given.
    """

    def __init__(
        self,
        grace: timedelta,
        wall: Callable[[], datetime] = _wall,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._grace = grace
        self._wall = wall
        self._monotonic = monotonic
        self._at = self._seen = wall(), monotonic()
        self._jumped = -math.inf

    def now(self) -> datetime:
        """What counts as the time."""
        wall, ticks = self._wall(), self._monotonic()
        expected = _later(self._at, ticks)
        if wall > _later(self._seen, ticks) + TOLERANCE:
            self._jumped = ticks
        self._seen = wall, ticks
        if wall > expected and ticks - self._jumped < self._grace.total_seconds():
            return expected
        self._at = wall, ticks
        return wall


def _later(at: tuple[datetime, float], ticks: float) -> datetime:
    return at[0] + timedelta(seconds=ticks - at[1])
