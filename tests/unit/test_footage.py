"""What is remembered of a session, and how it is looked up."""

import numpy as np
import pytest

from liveness.evidence.footage import (
    CAPACITY,
    Footage,
    in_signature,
    in_thumbnail,
    signature_of,
)
from liveness.vision.observation import Box, Thumbnail

ALL_CELLS = slice(0, 12), slice(0, 16)
PART = slice(10, 20), slice(30, 40)
STEP = 1 / 30


def grey(value: float) -> Thumbnail:
    return np.full((48, 64), value, np.uint8)


def seen(*values: float, step: float = STEP) -> Footage:
    """Frames that are all of one grey, one after the other."""
    footage = Footage()
    for index, value in enumerate(values):
        footage.add(index * step, signature_of(grey(value)), grey(value))
    return footage


def test_a_signature_is_the_mean_of_its_cells() -> None:
    random = np.random.default_rng(1)
    thumbnail = random.integers(0, 255, (48, 64), np.uint8)
    cells = thumbnail.reshape(12, 4, 16, 4).mean(axis=(1, 3))
    assert np.allclose(signature_of(thumbnail), cells, atol=1e-3)


def test_distances_are_mean_squares_to_frames_or_what_lies_between_two() -> None:
    footage = seen(10, 20, 20, 60)
    distances = footage.distances(signature_of(grey(16)), ALL_CELLS)
    # Sixteen lies between the first two; of the third and the fourth the third is nearest.
    assert distances == pytest.approx([0, 16, 16, 44**2], abs=1e-3)


def test_frames_that_are_far_apart_in_time_are_not_mixed() -> None:
    footage = seen(10, 20, step=0.5)
    distances = footage.distances(signature_of(grey(16)), ALL_CELLS)
    assert distances == pytest.approx([36, 16])
    assert footage.pictures(np.array([0.25]), PART) is None


def test_only_the_region_is_compared() -> None:
    footage = seen(10)
    now = signature_of(grey(10))
    now[:, 8:] = 200
    left, right = (slice(0, 12), slice(0, 8)), (slice(0, 12), slice(8, 16))
    assert footage.distances(now, left) == pytest.approx([0])
    assert footage.distances(now, right) == pytest.approx([190**2])


def test_pictures_are_mixed_from_the_frames_before_and_after() -> None:
    footage = seen(10, 20, 60)
    pictures = footage.pictures(np.array([0.0, 0.5 * STEP, 1.75 * STEP]), PART)
    assert pictures is not None
    assert pictures.shape == (3, 10, 10)
    assert pictures[:, 0, 0] == pytest.approx([10, 15, 50])


@pytest.mark.parametrize("moment", [-0.1, 2 * STEP, 1.0])
def test_there_is_no_picture_before_the_first_frame_or_after_the_last(moment: float) -> None:
    assert seen(10, 20, 60).pictures(np.array([moment]), PART) is None


def test_the_oldest_are_forgotten_and_the_others_are_as_before() -> None:
    footage = Footage()
    values = [index % 250 for index in range(CAPACITY)]
    for index, value in enumerate(values):
        footage.add(index * STEP, signature_of(grey(value)), grey(value))
    assert footage.full
    late, early = np.array([(CAPACITY - 9.5) * STEP]), np.array([(CAPACITY / 2 + 0.5) * STEP])
    before = footage.pictures(late, PART)
    assert footage.pictures(early, PART) is None  # thumbnails are remembered for a shorter time

    footage.forget_oldest()

    assert len(footage) == 3 * CAPACITY // 4
    assert not footage.full
    assert footage.times[0] == pytest.approx(CAPACITY // 4 * STEP)
    assert np.array_equal(footage.pictures(late, PART), before)
    distances = footage.distances(signature_of(grey(values[-1])), ALL_CELLS)
    assert distances[-1] == pytest.approx(0)
    footage.add(CAPACITY * STEP, signature_of(grey(7)), grey(7))
    assert np.array_equal(footage.pictures(late, PART), before)


@pytest.mark.parametrize(
    ("box", "cells", "of_thumbnail"),
    [
        (
            Box(0.25, 0.5, 0.25, 0.25),
            (slice(6, 9), slice(4, 8)),
            (slice(24, 36), slice(16, 32)),
        ),
        (
            Box(-0.5, -0.5, 3, 3),
            (slice(0, 12), slice(0, 16)),
            (slice(0, 48), slice(0, 64)),
        ),
        (
            Box(1.2, 1.2, 0.1, 0.1),
            (slice(11, 12), slice(15, 16)),
            (slice(47, 48), slice(63, 64)),
        ),
    ],
)
def test_a_box_is_the_cells_that_show_any_of_it(
    box: Box, cells: tuple[slice, slice], of_thumbnail: tuple[slice, slice]
) -> None:
    assert in_signature(box) == cells
    assert in_thumbnail(box) == of_thumbnail
