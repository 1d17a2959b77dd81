"""How long the stages of a frame's way take, also in parts that have no clock of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Took = Callable[[str, float], None]
"""Told a stage, and how long it took this time, seconds; in whichever thread did the work."""


def unheard(_stage: str, _seconds: float) -> None:
    """Do nothing: nobody wants to know."""


@contextmanager
def timed(took: Took, stage: str) -> Iterator[None]:
    """Tell how long what is inside takes."""
    began = time.perf_counter()
    try:
        yield
    finally:
        took(stage, time.perf_counter() - began)


class Stopwatch:
    """Called with each stage as it begins and the one before is over; with None after the last."""

    def __init__(self, took: Took) -> None:
        self._took = took
        self._stage: str | None = None
        self._began = 0.0

    def __call__(self, stage: str | None) -> None:
        """Tell of the stage before."""
        now = time.perf_counter()
        if self._stage is not None:
            self._took(self._stage, now - self._began)
        self._stage, self._began = stage, now
