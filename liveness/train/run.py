"""One training from the data set to the report."""

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from liveness.console import INTERRUPTED
from liveness.train import tflite
from liveness.train.agreement import live_share
from liveness.train.card import write_card
from liveness.train.dataset import Dataset, labels_of
from liveness.train.errors import TrainingError
from liveness.train.export import Served, export_onnx, halve
from liveness.train.loader import plain_batches
from liveness.train.metrics import Figures, equal_error_threshold, judge
from liveness.train.options import Options
from liveness.train.report import Exported, Report
from liveness.train.trainer import Trainer

PROBES = 16  # test pictures on which an exported file is compared with the net


def main(options: Options) -> int:
    """Train, and tell what came of it; returns the exit status."""
    try:
        report = train(options)
    except (TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)  # noqa: T201 - as above
        return INTERRUPTED
    for sentence in report.sentences:
        tqdm.write(sentence)
    tqdm.write(f"all of it: {options.run / 'report.md'}")
    return 0


def train(options: Options) -> Report:
    """Train, export, judge and write everything; raises `TrainingError`, `OSError`."""
    dataset = Dataset.open(options.dataset)
    for line in dataset.summary():
        tqdm.write(line)
    options.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options, dataset)
    trainer.fit()
    threshold = equal_error_threshold(
        trainer.scores(dataset.val, "threshold"), labels_of(dataset.val)
    )
    report = _export(trainer, options, dataset, threshold)
    report.write()
    return report


def _export(trainer: Trainer, options: Options, dataset: Dataset, threshold: float) -> Report:
    whole, half, lite = (
        options.run / f"{options.name}{suffix}" for suffix in (".onnx", ".half.onnx", ".tflite")
    )
    probes, device = _probes(dataset), str(trainer.device)
    difference = export_onnx(trainer.net, whole, probes)
    halve(whole, half)
    scores = {path: _scores(Served(path), options, dataset) for path in (whole, half)}
    remarks = [] if tflite.available() else [tflite.MISSING]
    if tflite.available():
        tflite.export_tflite(trainer.net, lite, probes)
        scores[lite] = _scores(tflite.ServedLite(lite), options, dataset)
    species = [sample.species for sample in dataset.test]
    exported = [
        Exported(path, found, judge(found, labels_of(dataset.test), species, threshold))
        for path, found in scores.items()
    ]
    for each in exported:
        notes = f"Test split: {_errors(each.figures)}"
        title = f"{each.path.stem}, 128x128"
        write_card(each.path, title=title, threshold=threshold, crop=options.crop, notes=notes)
    return Report(options, dataset, device, trainer.history, difference, exported, remarks)


def _probes(dataset: Dataset) -> torch.Tensor:
    """Some test pictures of both classes, as the net sees them."""
    chosen = np.linspace(0, len(dataset.test) - 1, PROBES).astype(int)
    samples = [dataset.test[index] for index in chosen]
    ((pictures, _),) = plain_batches(samples, batch=PROBES, workers=1)
    return pictures


def _scores(
    served: Served | tflite.ServedLite, options: Options, dataset: Dataset
) -> NDArray[np.float64]:
    batches = plain_batches(dataset.test, batch=options.batch, workers=options.workers)
    bar = tqdm(batches, "test", leave=False)
    return live_share(np.concatenate([served.logits(pictures) for pictures, _ in bar]))


def _errors(of: Figures) -> str:
    return f"APCER {of.apcer:.2%}, BPCER {of.bpcer:.2%}, ACER {of.acer:.2%}, {of.pictures} pictures"
