import pytest

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Challenge
from liveness.challenge.stray import Stray
from tests.people import FRAME, a_face

FRONT, RIGHT, LEFT, BLINK = Challenge
SETTLED = [0.0] * 12


def strays(challenge: Challenge, yaws: list[float]) -> bool:
    stray = Stray(challenge, Baseline())
    return any(stray.update(a_face(yaw), frame * FRAME) for frame, yaw in enumerate(yaws))


@pytest.mark.parametrize(
    ("challenge", "yaw"), [(RIGHT, 25), (LEFT, -25), (BLINK, 25), (BLINK, -25)]
)
def test_a_clear_turn_that_was_not_asked_for_is_a_wrong_move(
    challenge: Challenge, yaw: float
) -> None:
    assert strays(challenge, [*SETTLED, yaw / 2, yaw, yaw, yaw])


@pytest.mark.parametrize(("challenge", "yaw"), [(RIGHT, -25), (LEFT, 25)])
def test_what_was_asked_for_is_none(challenge: Challenge, yaw: float) -> None:
    assert not strays(challenge, [*SETTLED, yaw / 2, yaw, yaw, yaw])


def test_a_glance_is_none() -> None:
    assert not strays(RIGHT, [*SETTLED, 8, 14, 15, 14, 8, 0])


def test_finishing_the_turn_before_is_none() -> None:
    assert not strays(BLINK, [15, 20, 28, 28, 20, 10, 0, 0])


def test_overshooting_on_the_way_back_is_none() -> None:
    assert not strays(BLINK, [28, 20, 10, 0, -8, -14, -10, *SETTLED])


def test_one_swing_from_one_side_to_the_other_is_none() -> None:
    assert not strays(BLINK, [28, 18, 8, 2, -4, -12, -20, -26, -26, -15, 0])


def test_a_turn_begins_from_where_the_face_was_before_it_counted() -> None:
    stray = Stray(LEFT, Baseline())
    for frame, yaw in enumerate(SETTLED):
        stray.settle(a_face(yaw), frame * FRAME)
    assert any(stray.update(a_face(-25), 0.4 + frame * FRAME) for frame in range(3))


def test_it_starts_anew_after_an_interruption() -> None:
    stray = Stray(BLINK, Baseline())
    for frame, yaw in enumerate(SETTLED):
        stray.update(a_face(yaw), frame * FRAME)
    stray.interrupt()
    assert not any(stray.update(a_face(25), 1 + frame * FRAME) for frame in range(5))
