"""A clock that does not jump, for the libraries below.

aiortc and aioice measure intervals with the wall clock. Where that jumps by a day, aiortc's
estimate of the bit rate counts through all of its milliseconds, for half a minute in which the
event loop stands still; where it jumps by some days more, receiver reports no longer fit their
field, and a connection cannot be closed any more. A retransmission would wait for a minute.
"""

import time
from datetime import UTC, datetime
from types import ModuleType

from aioice import turn
from aiortc import clock, mediastreams, rtcrtpreceiver, rtcrtpsender, rtcsctptransport

_AHEAD = time.time() - time.monotonic()


class _Steady:
    """Stands where these modules have the module `time`."""

    @staticmethod
    def time() -> float:
        """Seconds since 1970, by the wall clock when this process began."""
        return _AHEAD + time.monotonic()


def _now() -> datetime:
    return datetime.fromtimestamp(_Steady.time(), UTC)


def hold_steady() -> None:
    """Have the libraries use it; raises `RuntimeError` where they no longer can be told to."""
    _replace(clock, "current_datetime", _now)
    for module in (turn, mediastreams, rtcrtpreceiver, rtcrtpsender, rtcsctptransport):
        _replace(module, "time", _Steady)


def _replace(module: ModuleType, name: str, by: object) -> None:
    if not hasattr(module, name):
        raise RuntimeError(f"this version of {module.__name__} has its clock elsewhere")
    setattr(module, name, by)
