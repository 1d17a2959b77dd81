from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from liveness.expiry import TOLERANCE, ExpiryClock

GRACE = timedelta(minutes=10)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Machine:
    """One whose wall clock can be set."""

    def __init__(self) -> None:
        self.wall, self.ticks = NOON, 100.0
        self.clock = ExpiryClock(GRACE, lambda: self.wall, lambda: self.ticks)

    def wait(self, passed: timedelta) -> None:
        self.wall += passed
        self.ticks += passed.total_seconds()


def test_the_wall_clock_is_followed_however_seldom_it_is_looked_at() -> None:
    machine = Machine()
    for passed in (1.0, 3600.0, 1e6):
        machine.wait(timedelta(seconds=passed))
        machine.wall += TOLERANCE  # as it is slewed
        assert machine.clock.now() == machine.wall


def test_a_jump_ahead_is_followed_after_the_grace() -> None:
    machine = Machine()
    machine.wall += DAY
    assert machine.clock.now() == NOON
    machine.wait(GRACE - timedelta(seconds=1))
    assert machine.clock.now() == NOON + GRACE - timedelta(seconds=1)
    machine.wait(timedelta(seconds=1))
    assert machine.clock.now() == machine.wall == NOON + DAY + GRACE


def test_a_jump_back_is_followed_at_once() -> None:
    machine = Machine()
    machine.wall -= DAY
    assert machine.clock.now() == NOON - DAY
    machine.wall += DAY  # and set right again
    assert machine.clock.now() == NOON - DAY
    machine.wait(GRACE)
    machine.clock.now()
    machine.wait(GRACE)
    assert machine.clock.now() == machine.wall


@given(st.lists(st.tuples(st.integers(-90_000, 90_000), st.integers(0, 900)), max_size=20))
def test_nothing_expires_before_the_time_it_was_given(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    for jump, wait in steps:
        made, given_at = machine.ticks, machine.wall
        machine.clock.now()
        machine.wall += timedelta(seconds=jump)
        machine.clock.now()
        machine.wait(timedelta(seconds=wait))
        if machine.clock.now() >= given_at + GRACE + TOLERANCE:
            assert machine.ticks - made >= GRACE.total_seconds()
