"""What single scores come to: the logarithmic average of the last five."""

import math
from collections import deque
from collections.abc import Iterable

WINDOW = 5
"""Scores that are averaged, and that it takes for a decision: a single blurred frame, or one where
the face is not found quite right, says nothing."""

_DIGITS = 12
"""Kept of an average: without rounding five equal scores may average to a little more."""


def log_average(scores: Iterable[float]) -> float:
    """Average scores x, 0..1, as exp(mean(log(x + 1))) - 1; raises `ValueError` without any.

    Low scores weigh a little more than in their mean.
    """
    logarithms = [math.log1p(score) for score in scores]
    if not logarithms:
        raise ValueError("there is nothing to average")
    return round(math.expm1(math.fsum(logarithms) / len(logarithms)), _DIGITS)


class Scores:
    """The last scores of one person; 1 is live."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=WINDOW)

    def add(self, score: float) -> None:
        """Add the newest score; raises `ValueError` outside 0..1."""
        if not 0 <= score <= 1:
            raise ValueError(f"{score} is no score")
        self._last.append(score)

    @property
    def average(self) -> float | None:
        """The log average of the last five, or of as many as there are."""
        return log_average(self._last) if self._last else None

    def attacked(self, threshold: float) -> bool:
        """Whether there are enough of them, and their average is not above `threshold`."""
        average = self.average
        return self.decisive and average is not None and average <= threshold

    @property
    def decisive(self) -> bool:
        """Whether there are enough of them to decide by."""
        return len(self._last) == WINDOW
