from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.turn import Turn
from tests.people import FRAME, a_face

RIGHT, LEFT = Challenge.RIGHT, Challenge.LEFT
SIDES = [(RIGHT, -1), (LEFT, 1)]


def turned_at(turn: Turn, yaws: Sequence[float], interval: float = FRAME) -> int | None:
    for frame, yaw in enumerate(yaws):
        if turn.update(a_face(yaw), frame * interval):
            return frame
    return None


@pytest.mark.parametrize(("challenge", "sign"), SIDES)
def test_a_turn_to_the_side_is_met(challenge: Challenge, sign: int) -> None:
    yaws = [sign * degrees for degrees in (0, 3, 6, 9, 12, 15, 18)]
    assert turned_at(Turn(challenge, Baseline()), yaws) is not None


@pytest.mark.parametrize(("challenge", "sign"), SIDES)
def test_a_turn_to_the_other_side_is_none_and_is_told(challenge: Challenge, sign: int) -> None:
    turn = Turn(challenge, Baseline())
    assert turned_at(turn, [-sign * degrees for degrees in range(0, 30, 3)]) is None
    assert turn.hint is Hint.WRONG_WAY
    assert turn.progress == 0


def test_it_is_measured_from_the_persons_own_rest() -> None:
    baseline = Baseline()
    baseline.learn([a_face(yaw=9)])
    assert turned_at(Turn(LEFT, baseline), [9, 9, 15, 15, 15]) is None
    assert turned_at(Turn(LEFT, baseline), [9, 9, 17, 25, 25]) == 4


def test_a_head_that_is_turned_already_must_come_back_first() -> None:
    turn = Turn(RIGHT, Baseline())
    assert turned_at(turn, [-25.0] * 30) is None
    assert turn.hint is Hint.LOOK_STRAIGHT
    assert turned_at(turn, [-25, -14, -4, -14, -25, -25]) == 4


def test_a_swing_from_the_other_side_may_cross_the_front_between_two_frames() -> None:
    assert turned_at(Turn(LEFT, Baseline()), [-20, -9, 9, 20, 20], interval=1 / 15) is not None


def test_a_face_that_jumps_is_no_head_that_turns() -> None:
    turn = Turn(LEFT, Baseline())
    assert turned_at(turn, [0, 0, 20, 20, 20]) is None
    assert turn.hint is Hint.LOOK_STRAIGHT
    assert turned_at(turn, [20, 10, 0, 10, 20, 20]) is not None


@given(st.sampled_from([10, 15, 30, 60]), st.floats(60, 170), st.floats(-2, 2))
def test_a_head_that_turns_fast_does_not_jump(fps: int, speed: float, noise: float) -> None:
    yaws = [min(speed * frame / fps, 25) + noise * (-1) ** frame for frame in range(fps)]
    assert turned_at(Turn(LEFT, Baseline()), yaws, interval=1 / fps) is not None


def test_one_noisy_frame_is_no_turn() -> None:
    assert turned_at(Turn(LEFT, Baseline()), [0, 0, 30, 0, 0, 30, 0]) is None


def test_a_print_that_is_tilted_until_it_looks_turned_is_none() -> None:
    turn = Turn(LEFT, Baseline())
    tilted = [a_face(3.0 * k, aspect=1 + 0.06 * k) for k in range(12)]
    assert not any(turn.update(face, frame * FRAME) for frame, face in enumerate(tilted))


def test_progress_follows_the_head() -> None:
    turn = Turn(LEFT, Baseline())
    shown = []
    for frame, yaw in enumerate((0, 2, 4, 6, 8, 6, 4)):
        turn.update(a_face(yaw), frame * FRAME)
        shown.append(turn.progress)
    assert shown[:5] == sorted(shown[:5])
    assert shown[6] < shown[4]
    assert max(shown) < 1


def test_an_interruption_asks_for_the_front_again() -> None:
    turn = Turn(LEFT, Baseline())
    turned_at(turn, [0, 5, 10])
    turn.interrupt()
    assert turned_at(turn, [20, 20, 20]) is None
