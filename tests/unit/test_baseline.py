import pytest

from liveness.challenge.baseline import SHUT, Baseline
from tests.people import OPEN_EYE, a_face


def test_until_it_is_learnt_the_seeds_fixed_bound_decides() -> None:
    assert Baseline().openness(a_face(openness=0.25 / OPEN_EYE))[0] == pytest.approx(SHUT)


def test_a_blink_among_the_frames_does_not_lower_it() -> None:
    baseline = Baseline()
    baseline.learn([a_face(yaw=4)] * 14 + [a_face(yaw=4, openness=0.3)] * 6)
    assert baseline.openness(a_face()) == pytest.approx((1, 1))
    assert baseline.turn(a_face(yaw=24)) == pytest.approx(20)


def test_it_follows_a_person_who_relaxes_but_not_one_who_moves() -> None:
    baseline = Baseline()
    baseline.learn([a_face()])
    for moved in (a_face(yaw=20), a_face(openness=0.5)):
        baseline.follow(moved, 1.0)
    assert baseline.yaw == 0
    assert baseline.openness(a_face()) == pytest.approx((1, 1))
    for _ in range(300):
        baseline.follow(a_face(yaw=3, pitch=5, openness=0.9), 0.033)
    assert baseline.yaw == pytest.approx(3, abs=0.2)
    assert baseline.pitch == pytest.approx(5, abs=0.3)
    assert baseline.openness(a_face(openness=0.9))[1] == pytest.approx(1, abs=0.02)


def test_hidden_eyes_divide_nothing_by_zero() -> None:
    baseline = Baseline()
    baseline.learn([a_face(openness=0)])
    assert baseline.openness(a_face(openness=0)) == (0, 0)
