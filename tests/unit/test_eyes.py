import numpy as np
import pytest

from liveness.vision.eyes import eyes

EYE = np.array([(0, 0), (1, -1), (2, -1), (3, 0), (2, 1), (1, 1)], np.float32)
RIGHT, LEFT = slice(36, 42), slice(42, 48)


def test_the_ratio_is_mean_height_over_width() -> None:
    points = np.zeros((68, 2), np.float32)
    points[RIGHT] = EYE * [20, 6]
    points[LEFT] = EYE * [20, 3] + 200
    assert eyes(points).right == pytest.approx(12 / 60)
    assert eyes(points).left == pytest.approx(6 / 60)


def test_the_ratio_does_not_depend_on_how_the_head_is_tilted() -> None:
    points = np.zeros((68, 2), np.float32)
    tilt = np.array([[0.8, -0.6], [0.6, 0.8]])
    points[RIGHT] = (EYE * [20, 6]) @ tilt.T
    assert eyes(points).right == pytest.approx(0.2)


def test_an_eye_without_width_is_no_error() -> None:
    assert eyes(np.zeros((68, 2), np.float32)).left == 0
