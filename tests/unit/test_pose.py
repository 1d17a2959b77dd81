import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.vision.pose import AVERAGE_FACE, align

CENTRE = np.array([320.0, 240.0])


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0, scale: float = 60.0) -> np.ndarray:
    """The average face under scaled orthography: (68, 2) float32 pixels."""
    a, b, c = np.radians([yaw, pitch, roll])
    around_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    around_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    rotation = around_z @ around_y @ around_x
    return np.asarray(scale * (AVERAGE_FACE @ rotation.T)[:, :2] + CENTRE, np.float32)


@given(yaw=st.floats(-50, 50), pitch=st.floats(-30, 30), scale=st.floats(5, 300))
def test_the_average_face_is_read_exactly(yaw: float, pitch: float, scale: float) -> None:
    fit = align(turned(yaw, pitch, scale=scale))
    assert fit.pose.yaw == pytest.approx(yaw, abs=0.1)
    assert fit.pose.pitch == pytest.approx(pitch, abs=0.1)
    assert fit.scale == pytest.approx(scale, rel=1e-3)
    assert (fit.x, fit.y) == pytest.approx((320, 240), abs=0.01)
    assert fit.residual < 1e-3


@given(roll=st.floats(-60, 60))
def test_roll_is_clockwise_in_the_picture(roll: float) -> None:
    assert align(turned(0, roll=roll)).pose.roll == pytest.approx(roll, abs=0.1)


def test_yaw_is_positive_when_the_nose_moves_to_the_pictures_right() -> None:
    nose, chin = 30, 8
    points = turned(25)
    assert points[nose, 0] > points[chin, 0]
    assert align(points).pose.yaw > 0


@given(st.integers(0, 2**32 - 1), st.floats(15, 45), st.sampled_from([-1, 1]))
def test_noise_does_not_flip_the_sign(seed: int, yaw: float, sign: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 3, (68, 2))
    pose = align((turned(sign * yaw) + noise).astype(np.float32)).pose
    assert np.sign(pose.yaw) == sign


def test_points_that_are_no_face_fit_badly() -> None:
    scattered = np.random.default_rng(2).uniform(200, 400, (68, 2)).astype(np.float32)
    assert align(scattered).residual > 0.3


def test_points_in_one_place_are_no_error() -> None:
    assert np.isfinite(align(np.full((68, 2), 100, np.float32)).pose.yaw)
