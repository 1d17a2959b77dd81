import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.train import picture
from liveness.train.card import SIDE


@pytest.fixture
def noise() -> picture.Picture:
    return np.random.default_rng(0).integers(0, 256, (90, 200, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_each_format_is_read_as_red_green_blue(suffix: str) -> None:
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    seen = picture.decode(cv2.imencode(suffix, red)[1].tobytes())
    assert seen is not None
    assert seen.shape == (20, 30, 3)
    assert np.allclose(seen.mean(axis=(0, 1)), [255, 0, 0], atol=3)


@given(st.binary(max_size=300))
def test_what_is_no_picture_is_none(data: bytes) -> None:
    assert picture.decode(data) is None


def test_a_truncated_picture_does_not_raise(noise: picture.Picture) -> None:
    data = cv2.imencode(".png", noise)[1].tobytes()
    for end in range(0, len(data), len(data) // 20):
        picture.decode(data[:end])


def test_the_net_is_fed_planes_from_minus_one_to_one() -> None:
    white_left = np.zeros((SIDE, SIDE, 3), np.uint8)
    white_left[:, : SIDE // 2, 0] = 255
    planes = picture.to_input(white_left)
    assert planes.shape == (3, SIDE, SIDE)
    assert planes.dtype == np.float32
    assert planes[0, 0, 0] == 1.0
    assert planes[0, 0, -1] == planes[1, 0, 0] == -1.0


@pytest.mark.parametrize("shape", [(1, 1, 3), (90, 200, 3), (300, 40, 3)])
def test_changed_pictures_have_the_nets_size(shape: tuple[int, int, int]) -> None:
    grey = np.full(shape, 128, np.uint8)
    for seed in range(20):
        changed = picture.augment(grey, np.random.default_rng(seed))
        assert changed.shape == (SIDE, SIDE, 3)
        assert changed.dtype == np.uint8


def test_changes_depend_on_their_seed_alone(noise: picture.Picture) -> None:
    first, again, other = (
        picture.augment(noise, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_changes_leave_a_screens_lines_to_be_seen() -> None:
    lines = np.full((SIDE, SIDE, 3), 90, np.uint8)
    lines[:, ::4] = 160
    kept = [picture.augment(lines, np.random.default_rng(seed)).std() for seed in range(40)]
    assert np.median(kept) > 0.5 * lines.std()
