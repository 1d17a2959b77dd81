import time
from types import ModuleType

import pytest
from aiortc import clock, rtcrtpreceiver
from aiortc.rate import RateCounter

from liveness.rtc.clock import hold_steady

YEAR = 365 * 86_400


def test_libraries_do_not_see_the_wall_clock_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_steady()
    counter = RateCounter(1000)
    counter.add(1, clock.current_ms())
    steady = vars(rtcrtpreceiver)["time"].time
    before, wall = steady(), time.time()
    assert abs(before - wall) < 3600
    monkeypatch.setattr(time, "time", lambda: wall + YEAR)
    assert 0 <= steady() - before < 60
    counter.add(1, clock.current_ms())  # would count to 31,536,000,000


def test_libraries_that_have_their_clock_elsewhere_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveness.rtc.clock.turn", ModuleType("other"))
    with pytest.raises(RuntimeError, match="other has its clock elsewhere"):
        hold_steady()
