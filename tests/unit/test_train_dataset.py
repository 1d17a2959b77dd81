# ruff: noqa: E402 - without PyTorch the imports below would fail
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training import require_torch

require_torch()

from liveness.train.card import LIVE, SPOOF
from liveness.train.dataset import SPLITS, Dataset
from liveness.train.errors import DatasetInvalid
from liveness.train.loader import plain_batches, training_batches


def put(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((8, 8, 3), shade, np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three live and two spoofed pictures a split, of which no two are alike."""
    for index, split in enumerate(SPLITS):
        for number in range(3):
            put(tmp_path / split / "live" / f"{number}.png", 20 * number + index)
        put(tmp_path / split / "spoof" / "a.jpg", 100 + 10 * index)
        put(tmp_path / split / "spoof" / "mask" / "b.WEBP", 200 + 10 * index)
    return tmp_path


def test_pictures_are_found_by_split_class_and_species(folder: Path) -> None:
    dataset = Dataset.open(folder)
    for split in SPLITS:
        samples = getattr(dataset, split)
        assert [sample.label for sample in samples] == [LIVE] * 3 + [SPOOF] * 2
        assert [sample.species for sample in samples] == ["", "", "", "spoof", "mask"]
    assert dataset.unreadable == ()
    assert dataset.leaked == 0


def test_unreadable_pictures_are_named_counted_and_left_out(folder: Path) -> None:
    broken = folder / "train" / "live" / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no more of a JPEG than this")
    empty = folder / "test" / "spoof" / "empty.png"
    empty.touch()
    dataset = Dataset.open(folder)
    assert set(dataset.unreadable) == {broken, empty}
    assert len(dataset.train) == len(dataset.test) == 5
    text = "\n".join(dataset.summary())
    assert "2 pictures cannot be read" in text
    assert str(broken) in text
    assert str(empty) in text


def test_other_files_are_no_pictures(folder: Path) -> None:
    (folder / "train" / "live" / "Thumbs.db").write_bytes(b"x")
    assert len(Dataset.open(folder).train) == 5


def test_an_empty_class_is_named(folder: Path) -> None:
    for path in (folder / "val" / "live").iterdir():
        path.unlink()
    with pytest.raises(DatasetInvalid, match=r"val/live is empty: it holds no .*\.jpg"):
        Dataset.open(folder)


def test_a_class_of_which_nothing_can_be_read_is_named(folder: Path) -> None:
    for path in (folder / "test" / "live").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DatasetInvalid, match=r"test/live is empty: none .* can be read"):
        Dataset.open(folder)


def test_a_missing_folder_is_told_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"train/live: a data set is .*train,val,test"):
        Dataset.open(tmp_path)


def test_pictures_that_are_held_out_and_trained_with_are_warned_of(folder: Path) -> None:
    copied = (folder / "train" / "live" / "0.png").read_bytes()
    (folder / "test" / "live" / "copy.png").write_bytes(copied)
    dataset = Dataset.open(folder)
    assert dataset.leaked == 1
    assert "1 pictures of val and test are in an earlier split too" in "\n".join(dataset.summary())


def test_pictures_by_which_the_net_is_chosen_and_judged_are_warned_of(folder: Path) -> None:
    for name in ("0.png", "1.png"):
        copied = (folder / "val" / "live" / name).read_bytes()
        (folder / "test" / "live" / name).write_bytes(copied)
    assert Dataset.open(folder).leaked == 2


def test_the_fingerprint_follows_the_pictures(folder: Path) -> None:
    before = Dataset.open(folder).fingerprint
    assert Dataset.open(folder).fingerprint == before
    put(folder / "train" / "live" / "0.png", 7)
    changed = Dataset.open(folder).fingerprint
    assert changed != before
    put(folder / "train" / "live" / "new.png", 9)
    assert Dataset.open(folder).fingerprint != changed


def test_a_name_may_be_of_any_bytes(folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder / "train" / "live") + b"/\xff.png"))
    odd.write_bytes((folder / "train" / "live" / "0.png").read_bytes())
    dataset = Dataset.open(folder)
    assert dataset.fingerprint
    assert len(dataset.train) == 6
    odd.write_bytes(b"no picture")
    assert "\ufffd.png" in "\n".join(Dataset.open(folder).summary())


def test_batches_depend_on_seed_and_epoch_and_not_on_workers(folder: Path) -> None:
    samples = Dataset.open(folder).train

    def batches(epoch: int, workers: int) -> list[tuple[list[float], list[int]]]:
        loaded = training_batches(samples, batch=2, seed=3, epoch=epoch, workers=workers)
        return [(pictures.flatten().tolist(), labels.tolist()) for pictures, labels in loaded]

    assert batches(0, 1) == batches(0, 3)
    assert batches(0, 1) != batches(1, 1)


def test_plain_batches_keep_the_order_and_leave_pictures_as_they_are(folder: Path) -> None:
    samples = Dataset.open(folder).train
    batches = plain_batches(samples, batch=2, workers=1)
    first, second, last = batches
    assert len(batches) == 3
    assert [*first[1], *second[1], *last[1]] == [sample.label for sample in samples]
    assert np.allclose(second[0][0].numpy(), 40 / 127.5 - 1, atol=1e-6)


def test_a_picture_that_goes_while_training_is_named(folder: Path) -> None:
    batches = plain_batches(Dataset.open(folder).train, batch=2, workers=1)
    (folder / "train" / "live" / "1.png").unlink()
    with pytest.raises(DatasetInvalid, match=r"1\.png cannot be read any more"):
        list(batches)
