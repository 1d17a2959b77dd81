from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.models import find_landmark_weights
from liveness.vision.trees import read_trees
from tests.source import predictor


def written(folder: Path, data: bytes) -> Path:
    path = folder / "predictor.dat"
    path.write_bytes(data)
    return path


def test_a_whole_file_is_read() -> None:
    trees = read_trees(find_landmark_weights(Path("model")).path)
    assert trees.pairs.shape == (15, 500, 15, 2)
    assert trees.leaves.shape == (15, 500, 16, 136)
    points = trees.mean.reshape(68, 2)
    right_eye, left_eye = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    assert 0 < right_eye[0] < left_eye[0] < 1


@pytest.mark.parametrize("parts", [5, 67, 69])
def test_other_predictors_are_refused(tmp_path: Path, parts: int) -> None:
    with pytest.raises(ValueError, match="not of 68 points"):
        read_trees(written(tmp_path, predictor(parts)))


@pytest.mark.parametrize("more", [b"\x00", b"\x01\x01"])
def test_what_follows_is_not_passed_over(tmp_path: Path, more: bytes) -> None:
    with pytest.raises(ValueError, match="something follows"):
        read_trees(written(tmp_path, predictor() + more))


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_a_cut_file_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: float) -> None:
    whole = predictor()
    path = written(tmp_path_factory.mktemp("cut"), whole[: int(cut * len(whole))])
    with pytest.raises(ValueError, match="no shape predictor"):
        read_trees(path)


@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    """Whatever it holds, nothing in what is read points outside."""
    data = bytearray(predictor())
    for place, byte in changes:
        data[int(place * (len(data) - 1))] = byte
    try:
        trees = read_trees(written(tmp_path_factory.mktemp("damaged"), bytes(data)))
    except ValueError:
        return
    pixels = trees.anchors.shape[1]
    assert 0 <= trees.pairs.min() <= trees.pairs.max() < pixels
    assert 0 <= trees.anchors.min() <= trees.anchors.max() < 68
    assert np.isfinite(trees.units).all()
    assert np.isfinite(trees.thresholds).all()


def test_noise_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 10_000, np.uint8).tobytes()
    with pytest.raises(ValueError, match="no shape predictor"):
        read_trees(written(tmp_path, noise))
    with pytest.raises(ValueError, match="no shape predictor"):
        read_trees(written(tmp_path, b""))
