import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.load import MOST_LOAD, USUAL_COST, Load, Sample


def run(load: Load, sessions: int, share: float, *, late: float = 0.0, start: float = 0.0) -> float:
    """Let five seconds pass with so many sessions, each taking a `share` of a core."""
    for tick in range(11):
        time = tick / 2
        frames = round(30 * sessions * time)
        cpu = share * sessions * time
        load.update(Sample(start + time, cpu, frames, round(late * frames), sessions))
    return start + 5.0


def test_an_idle_process_has_room() -> None:
    load = Load(1)
    assert load.has_room(0.0)
    assert load.has_room(run(load, 0, 0.0))


def test_room_ends_before_the_core_is_full() -> None:
    load = Load(1)
    now = run(load, 8, 0.09)
    assert load.busy == pytest.approx(0.72)
    assert load.session_cost == pytest.approx(0.09)
    assert load.has_room(now)
    load = Load(1)
    assert not load.has_room(run(load, 9, 0.09)), "a tenth would take more than the limit"


def test_more_cores_have_more_room() -> None:
    load = Load(2)
    assert load.has_room(run(load, 17, 0.09))


def test_those_who_have_just_come_are_expected() -> None:
    load = Load(1)
    entered = 0
    while load.has_room(0.1):
        load.enter(0.1)
        entered += 1
    assert entered == int(MOST_LOAD / USUAL_COST)
    assert load.has_room(10.0)


def test_late_frames_close_the_door_whoever_took_the_time() -> None:
    load = Load(4)
    assert load.has_room(run(load, 4, 0.05, late=0.005))
    load = Load(4)
    assert not load.has_room(run(load, 4, 0.05, late=0.05))


def test_what_is_long_ago_does_not_count() -> None:
    load = Load(1)
    end = run(load, 9, 0.1)
    assert not load.has_room(end)
    assert load.has_room(run(load, 2, 0.1, start=end + 1))


@given(st.integers(0, 40), st.floats(0.001, 0.5), st.integers(1, 64))
def test_the_limit_holds_for_any_cost(sessions: int, share: float, cores: int) -> None:
    load = Load(cores)
    now = run(load, sessions, share)
    if load.has_room(now):
        cost = share if sessions >= 2 else USUAL_COST
        assert sessions * share + cost <= MOST_LOAD * cores + 1e-6
