"""Pictures for the report, drawn by matplotlib: light, and it needs no browser to make a PNG."""

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liveness.train import files
from liveness.train.card import CLASSES
from liveness.train.metrics import Figures, Labels, Scores, error_rates, every_threshold
from liveness.train.trainer import Epoch

DET_TICKS = (0.001, 0.02, 0.1, 0.3, 0.6, 0.9)
DET_EDGE = 5e-4  # shares of errors are drawn from here to as much below one

CURVES = "curves.png"
CONFUSION = "confusion.png"
ROC = "roc.png"
DET = "det.png"


def draw_curves(run: Path, history: Sequence[Epoch], best: int) -> None:
    """Loss and accuracy by epoch; `best`, from 0, is the one whose net was kept."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    losses.plot(epochs, [epoch.train_loss for epoch in history], marker=".", label="training")
    losses.plot(epochs, [epoch.val_loss for epoch in history], marker=".", label="validation")
    losses.set(title="loss", xlabel="epoch")
    accuracy.plot(epochs, [epoch.val_accuracy for epoch in history], marker=".", color="C1")
    accuracy.set(title="share right, validation", xlabel="epoch")
    for axes in (losses, accuracy):
        axes.axvline(best + 1, color="grey", linestyle=":", label="kept")
        axes.grid(alpha=0.3)
    losses.legend()
    _save(figure, run / CURVES)


def draw_confusion(run: Path, figures: Figures) -> None:
    """Counts of what the test pictures are and of what they were taken for."""
    figure = Figure(figsize=(4, 3.6), layout="constrained")
    axes = figure.subplots()
    counts = np.array(figures.confusion)
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for truth, decision in np.ndindex(counts.shape):
        axes.text(
            decision,
            truth,
            f"{counts[truth, decision]}\n{shares[truth, decision]:.1%}",
            ha="center",
            va="center",
            color="white" if shares[truth, decision] > 0.5 else "black",  # noqa: PLR2004 - dark
        )
    ticks = range(len(CLASSES))
    axes.set_xticks(ticks, CLASSES)
    axes.set_yticks(ticks, CLASSES)
    axes.set(xlabel="taken for", ylabel="is", title=f"threshold {figures.threshold:.3f}")
    _save(figure, run / CONFUSION)


def draw_roc(run: Path, scores: Scores, labels: Labels, figures: Figures) -> None:
    """Live faces accepted over attacks accepted, all species together."""
    figure, axes, accepted, rejected = _over_thresholds(scores, labels)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(accepted, 1 - rejected)
    here = error_rates(scores, labels, np.array([figures.threshold]))
    axes.plot(here[0], 1 - here[1], "o", label="threshold")
    axes.set(
        xlabel="attacks accepted", ylabel="live accepted", title=f"ROC, area {figures.auc:.4f}"
    )
    axes.legend()
    _save(figure, run / ROC)


def draw_det(run: Path, scores: Scores, labels: Labels, figures: Figures) -> None:
    """Both errors on normal deviate axes: detection error trade-off, all species together."""
    figure, axes, accepted, rejected = _over_thresholds(scores, labels)
    here = error_rates(scores, labels, np.array([figures.threshold]))
    axes.plot(_deviates(accepted), _deviates(rejected))
    axes.plot(_deviates(here[0]), _deviates(here[1]), "o", label="threshold")
    ticks, names = _deviates(np.array(DET_TICKS)), [f"{tick:.4g}" for tick in DET_TICKS]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="attacks accepted, all species", ylabel="live rejected", title="DET")
    edges = _deviates(np.array([0.0, 1.0]))
    axes.set(xlim=edges, ylim=edges)
    axes.legend()
    _save(figure, run / DET)


def _over_thresholds(scores: Scores, labels: Labels) -> tuple[Figure, Axes, Scores, Scores]:
    figure = Figure(figsize=(4, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    return figure, axes, *error_rates(scores, labels, every_threshold(scores))


def _deviates(shares: Scores) -> Scores:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(share) for share in np.clip(shares, DET_EDGE, 1 - DET_EDGE)])


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    files.write(path, content.getvalue())
