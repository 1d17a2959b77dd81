"""Errors of presentation attack detection: APCER and BPCER as ISO/IEC 30107-3 defines them.

A score is the probability that a face is live; above the threshold it is taken for live.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.train.card import LIVE, SPOOF

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a classifier does at one threshold.

    `apcer`: share of attacks taken for live faces, of the species that it is highest for
    (`species`: of each). `bpcer`: share of live faces taken for attacks. `acer`: mean of the two.
    `auc`: area under the ROC curve, at no threshold. `confusion`: `[truth][decision]`, counts,
    both in the order of `CLASSES`.
    """

    pictures: int
    threshold: float
    accuracy: float
    apcer: float
    bpcer: float
    acer: float
    auc: float
    species: dict[str, float]
    confusion: list[list[int]]


def judge(scores: Scores, labels: Labels, species: Sequence[str], threshold: float) -> Figures:
    """Count errors; `species` names the attack of each sample, and is not read for live ones."""
    taken_for_live = scores > threshold
    live = labels == LIVE
    confusion = [
        [int((truth & taken_for_live).sum()), int((truth & ~taken_for_live).sum())]
        for truth in (live, ~live)
    ]
    names = np.array(species)
    passed = {
        str(name): float(taken_for_live[~live & (names == name)].mean())
        for name in np.unique(names[~live])
    }
    apcer, bpcer = max(passed.values()), float((~taken_for_live[live]).mean())
    return Figures(
        pictures=len(scores),
        threshold=threshold,
        accuracy=float((taken_for_live == live).mean()),
        apcer=apcer,
        bpcer=bpcer,
        acer=(apcer + bpcer) / 2,
        auc=area_under_curve(scores, labels),
        species=passed,
        confusion=confusion,
    )


def error_rates(scores: Scores, labels: Labels, thresholds: Scores) -> tuple[Scores, Scores]:
    """(n,) shares of attacks taken for live, and of live taken for attacks, at each threshold."""
    attacks, live = np.sort(scores[labels == SPOOF]), np.sort(scores[labels == LIVE])
    accepted = 1 - np.searchsorted(attacks, thresholds, side="right") / len(attacks)
    rejected = np.searchsorted(live, thresholds, side="right") / len(live)
    return accepted, rejected


def every_threshold(scores: Scores) -> Scores:
    """Thresholds that tell the scores apart in every possible way, ascending: 0, gaps, 1."""
    unique = np.unique(scores)
    return np.concatenate([[0.0], (unique[:-1] + unique[1:]) / 2, [1.0]])


def equal_error_threshold(scores: Scores, labels: Labels) -> float:
    """Find where both errors are most alike, then fewest: the middle of that gap in the scores.

    To be chosen on the validation split, so that the test split says what to expect.
    """
    thresholds = every_threshold(scores)
    accepted, rejected = error_rates(scores, labels, thresholds)
    best = np.lexsort((accepted, accepted + rejected, np.abs(accepted - rejected)))[0]
    return float(thresholds[best])


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """Give the probability that a live face scores higher than an attack; half for a tie."""
    attacks, live = np.sort(scores[labels == SPOOF]), scores[labels == LIVE]
    below = np.searchsorted(attacks, live, side="left")
    not_above = np.searchsorted(attacks, live, side="right")
    return float((below + not_above).mean() / 2 / len(attacks))
