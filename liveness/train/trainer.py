"""The training itself: epochs, early stopping, and going on after an interruption."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from liveness.train import checkpoint, files
from liveness.train.agreement import live_share
from liveness.train.card import CLASSES
from liveness.train.dataset import Dataset, Sample, labels_of
from liveness.train.errors import (
    CheckpointInvalid,
    RunMismatch,
    TrainingDiverged,
    TrainingError,
)
from liveness.train.loader import Batch, plain_batches, training_batches
from liveness.train.nets import build
from liveness.train.options import Options

SMOOTHING = 0.05
"""Of the labels: keeps scores away from 0 and 1, where thresholds cannot tell them apart."""
WEIGHT_DECAY = 1e-2
SLOWER = 0.3
"""The learning rate is multiplied by it when the validation loss stands still for half the
patience."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training split came to."""

    train_loss: float
    val_loss: float
    val_accuracy: float
    learning_rate: float


class Trainer:
    """A net in training; what it has reached is kept in the run's folder after each epoch."""

    def __init__(self, options: Options, dataset: Dataset) -> None:
        """Start, or go on where the run was; raises `RunMismatch`, `CheckpointInvalid`."""
        self._options = options
        self._dataset = dataset
        self.device = device(options.device)
        torch.manual_seed(options.seed)
        self.net = build(options.net, options.width).to(self.device)
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), options.lr, weight_decay=WEIGHT_DECAY
        )
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimiser, factor=SLOWER, patience=max(1, options.patience // 2)
        )
        self._loss = nn.CrossEntropyLoss(
            balanced(dataset.train).to(self.device), label_smoothing=SMOOTHING
        )
        self._best: dict[str, Any] = {}
        self.history: list[Epoch] = []
        self._resume()

    @property
    def stale(self) -> int:
        """Epochs since the one with the smallest validation loss."""
        losses = [epoch.val_loss for epoch in self.history]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or further ones have not helped for as long as we wait."""
        spent = len(self.history) >= self._options.epochs
        return spent or self.stale >= self._options.patience

    def fit(self) -> None:
        """Train to the end, and leave the net as it was at its best; raises `TrainingDiverged`."""
        while not self.finished:
            self.history.append(self._epoch(len(self.history)))
            if self.stale == 0:
                self._best = {name: value.clone() for name, value in self.net.state_dict().items()}
            self._keep()
            tqdm.write(self._progress())
        self.net.load_state_dict(self._best)
        self.net.eval()

    def _epoch(self, number: int) -> Epoch:
        options = self._options
        # So that dropout, too, depends on nothing but the seed and the epoch.
        torch.manual_seed(options.seed * 1_000_003 + number)
        batches = training_batches(
            self._dataset.train,
            batch=options.batch,
            seed=options.seed,
            epoch=number,
            workers=options.workers,
        )
        rate = float(self._optimiser.param_groups[0]["lr"])
        train_loss = self._pass(batches, f"epoch {number + 1} of {options.epochs}")
        val_loss, val_accuracy = self._validate()
        if not math.isfinite(train_loss + val_loss):
            raise TrainingDiverged(
                f"The loss is no number any more in epoch {number + 1}: try a smaller --lr"
            )
        self._schedule.step(val_loss)
        return Epoch(train_loss, val_loss, val_accuracy, rate)

    def _pass(self, batches: Iterable[Batch], title: str) -> float:
        self.net.train()
        total, count = 0.0, 0
        with tqdm(batches, title, leave=False) as bar:
            for pictures, labels in bar:
                self._optimiser.zero_grad(set_to_none=True)
                logits = self.net(pictures.to(self.device))
                loss: Tensor = self._loss(logits, labels.to(self.device))
                loss.backward()
                self._optimiser.step()
                total, count = total + loss.item() * len(labels), count + len(labels)
                bar.set_postfix(loss=f"{total / count:.4f}", refresh=False)
        return total / count

    def _validate(self) -> tuple[float, float]:
        logits = self.logits(self._dataset.val, "validation")
        labels = torch.from_numpy(labels_of(self._dataset.val))
        loss = self._loss(logits.to(self.device), labels.to(self.device))
        return float(loss), float((logits.argmax(1) == labels).double().mean())

    @torch.inference_mode()
    def logits(self, samples: tuple[Sample, ...], title: str) -> Tensor:
        """(n, 2): what the net gives for some pictures."""
        self.net.eval()
        options = self._options
        batches = plain_batches(samples, batch=options.batch, workers=options.workers)
        bar = tqdm(batches, title, leave=False)
        return torch.cat([self.net(pictures.to(self.device)).cpu() for pictures, _ in bar])

    def scores(self, samples: tuple[Sample, ...], title: str) -> NDArray[np.float64]:
        """(n,) probability that each picture is of a live face."""
        return live_share(self.logits(samples, title).numpy())

    def _keep(self) -> None:
        state = {
            "options": self._options.decisive,
            "dataset": self._dataset.fingerprint,
            "net": self.net.state_dict(),
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        checkpoint.save(self._options.run, state)
        history = json.dumps(state["history"], indent=2)
        files.write(self._options.run / "history.json", history + "\n")

    def _resume(self) -> None:
        state = checkpoint.load(self._options.run)
        if state is None:
            return
        self._check_same(state)
        try:
            self.net.load_state_dict(state["best"])  # tried now rather than after hours
            self.net.load_state_dict(state["net"])
            self._optimiser.load_state_dict(state["optimiser"])
            patience = {"patience": self._schedule.patience}  # it may be another one now
            self._schedule.load_state_dict(state["schedule"] | patience)
            self.history = [Epoch(**epoch) for epoch in state["history"]]
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            run = self._options.run
            raise CheckpointInvalid(f"The checkpoint in {run} is damaged; delete it") from error
        self._best = state["best"]
        tqdm.write(f"going on after epoch {len(self.history)} of {self._options.run}")

    def _check_same(self, state: dict[str, Any]) -> None:
        run, now = self._options.run, self._options.decisive
        others = [
            f"--{name} {was}" for name, was in state["options"].items() if was != now.get(name)
        ]
        if others:
            raise RunMismatch(f"{run} was begun with {' '.join(others)}: choose another --out")
        if state["dataset"] != self._dataset.fingerprint:
            raise RunMismatch(f"{run} was begun with other pictures: choose another --out")

    def _progress(self) -> str:
        last = self.history[-1]
        return (
            f"epoch {len(self.history)}: loss {last.train_loss:.4f}, validation "
            f"{last.val_loss:.4f}, {last.val_accuracy:.1%} right"
            + (", best so far" if self.stale == 0 else "")
        )


def balanced(samples: tuple[Sample, ...]) -> Tensor:
    """(2,) weights of the classes, so that both count alike however many pictures each has."""
    counts = np.bincount(labels_of(samples), minlength=len(CLASSES))
    return torch.from_numpy((len(samples) / len(CLASSES) / counts).astype(np.float32))


def device(name: str) -> torch.device:
    """Find a device; `auto` is the accelerator if there is one. Raises `TrainingError`."""
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # PyTorch raises both for devices not there
        raise TrainingError(f"--device {name} cannot be used: {error}".splitlines()[0]) from error
