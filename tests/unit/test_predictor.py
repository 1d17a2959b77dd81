"""The points are dlib's: dlib itself is asked."""

from pathlib import Path
from typing import Any

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.models import find_landmark_weights
from liveness.testing.portrait import Portrait
from liveness.vision.predictor import place
from liveness.vision.trees import Trees, read_trees

Picture = NDArray[Any]
WEIGHTS = find_landmark_weights(Path("model")).path
SIDE = 185
BOX = dlib.rectangle(228, 144, 228 + SIDE, 144 + SIDE)
AS_IT_IS = 0.0  # grey values: the contrast up to which nothing is enlarged, as in dlib


@pytest.fixture(scope="module")
def trees() -> Trees:
    return read_trees(WEIGHTS)


def ours(trees: Trees, picture: Picture, side: float = SIDE, contrast: float = AS_IT_IS) -> Picture:
    box = np.array([[side, 0, BOX.left()], [0, side, BOX.top()]])
    return place(picture, box, trees, contrast, 6.0)


@pytest.mark.parametrize("yaw", [-20.0, 0.0, 20.0])
def test_the_points_are_dlibs(trees: Trees, portrait: Portrait, yaw: float) -> None:
    """dlib rounds points and places to whole pixels: some of its 7500 trees turn off otherwise."""
    picture = np.ascontiguousarray(portrait.render(yaw=yaw)[:, :, 1])
    predictor = dlib.shape_predictor(str(WEIGHTS))
    apart = []
    for shift in range(-12, 13, 3):
        moved = np.roll(picture, shift, axis=1)
        theirs = np.array([(point.x, point.y) for point in predictor(moved, BOX).parts()])
        apart.append(np.median(np.abs(ours(trees, moved) - theirs)))
    assert np.median(apart) < 0.007 * SIDE


def test_a_lower_contrast_changes_little(trees: Trees, portrait: Portrait) -> None:
    picture = np.ascontiguousarray(portrait.render()[:, :, 1])
    dim = (picture * 0.2 + 10).astype(np.uint8)
    bright = ours(trees, picture, contrast=32.0)
    stretched = np.abs(ours(trees, dim, contrast=32.0) - bright).mean()
    assert stretched < 1.5
    assert np.abs(ours(trees, dim) - bright).mean() > 1.5 * stretched


@pytest.mark.parametrize("shape", [(2, 2), (2, 900), (480, 640)])
def test_nothing_is_read_outside_the_picture(trees: Trees, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for side in (1.0, 200.0, 4000.0):
        assert np.isfinite(ours(trees, picture, side)).all()


def test_lines_may_be_longer_than_the_picture(trees: Trees, portrait: Portrait) -> None:
    picture = np.ascontiguousarray(portrait.render()[:, :, 1])
    padded = np.pad(picture, ((0, 0), (0, 64)))[:, : picture.shape[1]]
    np.testing.assert_array_equal(ours(trees, padded), ours(trees, picture))
