"""What a training came to, as JSON for programs and as Markdown for people."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liveness.train import figures, files
from liveness.train.dataset import Dataset
from liveness.train.metrics import Figures, Scores
from liveness.train.options import Options
from liveness.train.trainer import Epoch

ONE_POINT = 100  # shares are told in percent


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file and what it does on the test split. `scores`: (n,)."""

    path: Path
    scores: Scores
    figures: Figures

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Cost:
    """What a smaller file costs: points (percent) of accuracy lost, and of ACER gained."""

    size: float
    accuracy: float
    acer: float
    changed: int

    @classmethod
    def of(cls, smaller: Exported, whole: Exported) -> "Cost":
        """Compare two files; `size`: share of the whole one, `changed`: decisions that differ."""
        threshold = whole.figures.threshold
        changed = (smaller.scores > threshold) != (whole.scores > threshold)
        return cls(
            smaller.size / whole.size,
            ONE_POINT * (whole.figures.accuracy - smaller.figures.accuracy),
            ONE_POINT * (smaller.figures.acer - whole.figures.acer),
            int(np.count_nonzero(changed)),
        )

    def sentence(self, name: str, pictures: int) -> str:
        """Say so."""
        return (
            f"{name} is {self.size:.0%} of the size; it costs {self.accuracy:+.2f} points of "
            f"accuracy and {self.acer:+.2f} of ACER, and decides {self.changed} of {pictures} "
            "test pictures otherwise"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything there is to tell. `exported`: the whole ONNX file first, then the half one."""

    options: Options
    dataset: Dataset
    device: str
    history: list[Epoch]
    difference: float
    exported: list[Exported]
    remarks: list[str]

    @property
    def best(self) -> int:
        """The epoch, from 0, whose net was kept."""
        losses = [epoch.val_loss for epoch in self.history]
        return losses.index(min(losses))

    @property
    def sentences(self) -> list[str]:
        """What matters most: errors on the test split, and the price of the smaller file."""
        whole, half = self.exported[:2]
        test = whole.figures
        errors = f"APCER {test.apcer:.1%}, BPCER {test.bpcer:.1%}, ACER {test.acer:.1%}"
        return [
            f"test: {test.accuracy:.1%} right, {errors} at the threshold {test.threshold:.3f}",
            Cost.of(half, whole).sentence(half.path.name, test.pictures),
            *self.remarks,
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything but single scores."""
        whole = self.exported[0]
        return {
            "net": self.options.name,
            "options": self.options.decisive,
            "device": self.device,
            "dataset": {
                "pictures": {
                    split: len(getattr(self.dataset, split)) for split in ("train", "val", "test")
                },
                "unreadable": [str(path) for path in self.dataset.unreadable],
                "leaked": self.dataset.leaked,
            },
            "epochs": len(self.history),
            "best_epoch": self.best + 1,
            "difference": self.difference,
            "test": {
                each.path.name: {"bytes": each.size, **asdict(each.figures)}
                for each in self.exported
            },
            "cost": {each.path.name: asdict(Cost.of(each, whole)) for each in self.exported[1:]},
            "remarks": self.remarks,
        }

    def write(self) -> None:
        """Write report.json, report.md and the pictures into the run's folder."""
        run, whole = self.options.run, self.exported[0]
        labels = np.array([sample.label for sample in self.dataset.test])
        figures.draw_curves(run, self.history, self.best)
        figures.draw_confusion(run, whole.figures)
        figures.draw_roc(run, whole.scores, labels, whole.figures)
        figures.draw_det(run, whole.scores, labels, whole.figures)
        files.write(run / "report.json", json.dumps(self.as_json(), indent=2) + "\n")
        files.write(run / "report.md", "\n".join(self._lines()) + "\n")

    def _lines(self) -> list[str]:
        return [
            f"# {self.options.name}",
            "",
            *(f"- {sentence}" for sentence in self.sentences),
            f"- {len(self.history)} epochs on {self.device}",
            f"- kept: the net of epoch {self.best + 1}, with the smallest validation loss",
            "- the threshold is where both errors are equal on the validation split",
            f"- ONNX Runtime's logits differ from PyTorch's by at most {self.difference:.1e}",
            "",
            *_table(self.exported),
            "",
            *_species(
                self.exported[0].figures, Counter(each.species for each in self.dataset.test)
            ),
            "",
            f"![Loss and accuracy by epoch]({figures.CURVES})",
            f"![Confusion matrix]({figures.CONFUSION})",
            f"![Receiver operating characteristic]({figures.ROC})",
            f"![Detection error trade-off]({figures.DET})",
            "",
            "## Pictures",
            "",
            *(f"    {line}" for line in self.dataset.summary()),
        ]


def _table(exported: list[Exported]) -> list[str]:
    return [
        "| file | bytes | accuracy | APCER | BPCER | ACER | area under ROC |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {each.path.name} | {each.size} | {of.accuracy:.2%} | {of.apcer:.2%} "
            f"| {of.bpcer:.2%} | {of.acer:.2%} | {of.auc:.4f} |"
            for each in exported
            for of in [each.figures]
        ),
    ]


def _species(of: Figures, pictures: Counter[str]) -> list[str]:
    return [
        "APCER is that of the worst species of attack (ISO/IEC 30107-3):",
        "",
        "| species | pictures | taken for live |",
        "|---|---|---|",
        *(
            f"| {name} | {pictures[name]} | {share:.2%} |"
            for name, share in sorted(of.species.items())
        ),
    ]
