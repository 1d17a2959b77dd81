# ruff: noqa: E402 - without PyTorch the imports below would fail
import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.training import SPECIES, generate, require_torch

require_torch()

import torch

from liveness.testing.portrait import Portrait
from liveness.testing.track import to_frame
from liveness.train import checkpoint, picture, run
from liveness.train.agreement import live_share
from liveness.train.dataset import Dataset
from liveness.train.errors import CheckpointInvalid, RunMismatch, TrainingError
from liveness.train.export import Served
from liveness.train.loader import plain_batches
from liveness.train.options import Options
from liveness.train.report import Report
from liveness.train.trainer import Epoch, Trainer, balanced, device
from liveness.vision.card import Card
from liveness.vision.crop import FaceBox, colours, cut_out
from liveness.vision.spoof import SpoofModel

torch.set_num_threads(1)

EXPECTED_FILES = {
    *("checkpoint.pt", "history.json", "report.json", "report.md"),
    *("curves.png", "confusion.png", "roc.png", "det.png"),
    *("cnn-0.5.onnx", "cnn-0.5.toml", "cnn-0.5.half.onnx", "cnn-0.5.half.toml"),
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("faces"), train=60, held_out=30)


@pytest.fixture(scope="module")
def few_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("few"), train=6, held_out=4)


@pytest.fixture(scope="module")
def report(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A real training, as short as it can be."""
    out = tmp_path_factory.mktemp("runs") / "run"
    options = Options(
        dataset=faces, net="cnn", width=0.5, epochs=6, batch=16, device="cpu", out=out
    )
    return run.train(options)


@pytest.fixture
def small(few_faces: Path, tmp_path: Path) -> Options:
    """A training that takes a fraction of a second an epoch."""
    return Options(
        dataset=few_faces, net="cnn", width=0.25, epochs=3, batch=4, device="cpu", out=tmp_path
    )


def fitted(options: Options) -> Trainer:
    trainer = Trainer(options, Dataset.open(options.dataset))
    trainer.fit()
    return trainer


def test_a_short_training_tells_held_out_faces_from_attacks(report: Report) -> None:
    test = report.exported[0].figures
    assert test.pictures == 60
    assert test.accuracy > 0.8  # chance: 0.5, with 60 pictures at most 0.7
    assert test.acer < 0.25
    assert test.auc > 0.9
    assert set(test.species) == set(SPECIES)


def test_a_run_has_all_of_its_files_and_nothing_unfinished(report: Report) -> None:
    names = {path.name for path in report.options.run.iterdir()}
    assert {name for name in names if not name.endswith("tflite")} >= EXPECTED_FILES
    assert not any(name.endswith(".part") for name in names)
    for drawn in report.options.run.glob("*.png"):
        assert drawn.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["cnn-0.5", "cnn-0.5.half"])
def test_the_card_lets_the_server_see_what_the_report_tells(report: Report, name: str) -> None:
    card = Card.read(report.options.run / f"{name}.toml")
    (network,) = card.networks
    told = json.loads((report.options.run / "report.json").read_text())["test"][network.file]
    assert network.file == f"{name}.onnx"
    assert (network.width, network.height, network.layout) == (128, 128, "NCHW")
    assert card.threshold == told["threshold"]

    batches = plain_batches(report.dataset.test, batch=8, workers=1)
    served = Served(report.options.run / network.file)
    logits = np.concatenate([served.logits(pictures) for pictures, _ in batches])
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    live = np.array([sample.label for sample in report.dataset.test]) == network.live
    right = (share[:, network.live] > card.threshold) == live
    assert right.mean() == pytest.approx(told["accuracy"])


def test_the_server_shows_the_net_what_it_was_trained_on(report: Report) -> None:
    card = Card.read(report.options.run / "cnn-0.5.toml")
    frame = to_frame(Portrait.astronaut().render())
    points = np.random.default_rng(0).uniform([230, 130], [410, 330], (68, 2)).astype(np.float32)
    shown = colours(frame, cut_out(FaceBox.around(points), card.networks[0].crop, 640, 480))
    seen = picture.to_input(picture.fit(np.ascontiguousarray(shown[..., ::-1])))
    logits = Served(report.options.run / "cnn-0.5.onnx").logits(torch.from_numpy(seen[None]))
    score = SpoofModel(card, report.options.run).score(frame, points)
    assert score == pytest.approx(live_share(logits)[0], abs=1e-5)
    assert score > card.threshold  # a live face, seen as the live ones of the data set were


def test_the_report_says_what_the_smaller_file_costs(report: Report) -> None:
    told = json.loads((report.options.run / "report.json").read_text())
    cost = told["cost"]["cnn-0.5.half.onnx"]
    whole, half = (told["test"][f"cnn-0.5{kind}.onnx"] for kind in ("", ".half"))
    assert cost["size"] == half["bytes"] / whole["bytes"] < 0.6
    assert cost["accuracy"] == pytest.approx(100 * (whole["accuracy"] - half["accuracy"]))
    assert abs(cost["accuracy"]) < 5
    text = (report.options.run / "report.md").read_text()
    assert "cnn-0.5.half.onnx is 5" in text
    assert "points of accuracy" in text
    assert told["difference"] < 1e-4


def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    small: Options, tmp_path: Path
) -> None:
    killed = dataclasses.replace(small, out=tmp_path / "killed", epochs=1000, patience=1000)
    done = kill_after_two_epochs(killed)
    epochs = done + 2

    resumed = Trainer(dataclasses.replace(killed, epochs=epochs), Dataset.open(small.dataset))
    assert len(resumed.history) >= done
    resumed.fit()
    whole = fitted(
        dataclasses.replace(small, out=make(tmp_path / "whole"), epochs=epochs, patience=1000)
    )
    assert len(resumed.history) == len(whole.history) == epochs
    for one, other in zip(resumed.history, whole.history, strict=True):
        assert dataclasses.astuple(one) == pytest.approx(dataclasses.astuple(other), rel=1e-4)


def kill_after_two_epochs(options: Options) -> int:
    """Train in a process of its own, kill it in the middle, and count its epochs."""
    arguments = [str(options.dataset), "--net", options.net, "--width", str(options.width)]
    arguments += ["--epochs", str(options.epochs), "--patience", str(options.patience)]
    arguments += ["--batch", str(options.batch), "--workers", "1", "--device", "cpu"]
    training = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "liveness.train", *arguments, "--out", str(options.run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    history = options.run / "history.json"
    try:
        while training.poll() is None:
            if history.exists() and len(json.loads(history.read_text())) >= 2:
                break
            time.sleep(0.02)
    finally:
        training.kill()
    assert training.wait() == -signal.SIGKILL
    return len(json.loads(history.read_text()))


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_training_stops_when_the_validation_loss_stands_still(small: Options) -> None:
    options = dataclasses.replace(small, lr=1e-7, epochs=40, patience=2)
    trainer = fitted(options)
    assert len(trainer.history) < 40
    assert trainer.stale == 2
    assert fitted(options).history == trainer.history  # started again, it is still finished


def test_the_net_that_is_kept_is_the_one_with_the_smallest_loss(small: Options) -> None:
    trainer = fitted(dataclasses.replace(small, epochs=6, lr=0.02))
    samples = Dataset.open(small.dataset).val
    logits = trainer.logits(samples, "")
    labels = torch.tensor([sample.label for sample in samples])
    loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.05)
    assert float(loss) == pytest.approx(min(each.val_loss for each in trainer.history), rel=1e-4)


def test_a_run_of_another_training_is_not_gone_on_with(small: Options, tmp_path: Path) -> None:
    fitted(dataclasses.replace(small, epochs=1))
    with pytest.raises(RunMismatch, match=r"--width 0\.25: choose another --out"):
        fitted(dataclasses.replace(small, width=0.5))
    other = generate(tmp_path / "other", train=7, held_out=4)
    with pytest.raises(RunMismatch, match="begun with other pictures"):
        fitted(dataclasses.replace(small, dataset=other))


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", pickle.dumps(Trap())], ids=["empty", "text", "pickle"]
)
def test_a_file_that_is_no_checkpoint_is_refused_and_runs_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / checkpoint.FILE).write_bytes(content)
    with pytest.raises(CheckpointInvalid, match="delete it to start anew"):
        checkpoint.load(tmp_path)
    torch.save({"version": Trap()}, tmp_path / checkpoint.FILE)
    with pytest.raises(CheckpointInvalid):
        checkpoint.load(tmp_path)
    assert not Path("sprung").exists()


def test_a_damaged_checkpoint_is_refused(small: Options) -> None:
    fitted(dataclasses.replace(small, epochs=1))
    state = torch.load(small.run / checkpoint.FILE, weights_only=True)
    state["best"].popitem()
    checkpoint.save(small.run, state)
    with pytest.raises(CheckpointInvalid, match="damaged"):
        fitted(small)


def test_rare_classes_weigh_more(small: Options) -> None:
    samples = Dataset.open(small.dataset).train
    weights = balanced((*samples[:6], *samples[-2:]))
    assert weights.tolist() == pytest.approx([8 / 12, 2.0])


def test_bad_data_sets_and_devices_end_with_a_sentence(
    tmp_path: Path, small: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(Options(dataset=tmp_path / "nowhere", out=tmp_path)) == 1
    assert "error: There is no folder" in capsys.readouterr().err
    assert run.main(dataclasses.replace(small, device="abacus")) == 1
    assert "error: --device abacus cannot be used" in capsys.readouterr().err
    with pytest.raises(TrainingError):
        device("abacus")
    assert device("cpu") == torch.device("cpu")


def test_history_is_readable_while_training_goes_on(small: Options) -> None:
    trainer = fitted(dataclasses.replace(small, epochs=2))
    told = json.loads((small.run / "history.json").read_text())
    assert [Epoch(**each) for each in told] == trainer.history
