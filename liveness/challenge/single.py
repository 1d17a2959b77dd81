"""The challenges met by single pictures: of people whose face at rest is not known.

There is no baseline of the person's own, so angles count from the camera's axis instead.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from liveness.challenge.baseline import Baseline
from liveness.challenge.blink import Blink
from liveness.challenge.front import MOST_PITCH, straight
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.turn import SIGN
from liveness.vision.observation import Eyes, Face

TURNED = 16.0
"""Degrees from the camera's axis that count as turned. More than the 15 up to which a face still
looks straight, so that no picture meets two challenges, and less than the 16.7 that the smallest
turns asked for (20) read on the flattest noses (a sixth less)."""

# People keep their aspect between .80 and 1.16 of the average face's. A print that is tilted until
# it reads as turned has lost a fifth of its width and more.
_MOST_ASPECT = 1.25

REMEMBERED = 3.0
"""Seconds for which a blink that was seen still answers, as in the first seed: its client asks for
one picture a second, and once more for the last one at the end."""

MOST_PICTURES = 40
"""Of one run: a second and a third at 30 a second, which holds a blink and open eyes about it."""

MOST_GAP = 10.0
"""Seconds between two pictures of one run. Whoever was away for longer begins a new one."""


def facing(face: Face) -> Challenge | None:
    """Tell which of `front`, `right` and `left` the face shows; None: something between."""
    if straight(face.pose):
        return Challenge.FRONT
    if abs(face.pose.yaw) < TURNED or not _is_head(face):
        return None
    return Challenge.LEFT if face.pose.yaw > 0 else Challenge.RIGHT


def judge(challenge: Challenge, face: Face) -> Hint:
    """Tell whether one picture meets `front`, `right` or `left`, and what to change if not."""
    shown = facing(face)
    if shown is challenge:
        return Hint.PASSED
    if challenge not in SIGN:
        return Hint.LOOK_STRAIGHT
    return Hint.WRONG_WAY if shown in SIGN else Hint.TURN_MORE


def _is_head(face: Face) -> bool:
    return face.aspect <= _MOST_ASPECT and abs(face.pose.pitch) <= MOST_PITCH


@dataclass(frozen=True, slots=True, order=True)
class _Seen:
    time: float
    face: Face = field(compare=False)
    asked: bool = field(compare=False)


_NO_LANDMARKS = np.zeros((68, 2), np.float32)


class Run:
    """The successive pictures of one person, at whatever rate they come, watched for a blink.

    Keeps angles and eye aspect ratios of at most `MOST_PICTURES`, and nothing of the pictures.
    """

    def __init__(self) -> None:
        self._seen: list[_Seen] = []
        self._blinked: float | None = None

    def add(self, face: Face, time: float, *, asked: bool = True) -> None:
        """Take in a picture that arrived at `time`, seconds. They may be told out of order.

        `asked`: whether a blink was asked when it was taken; others only show how eyes rest. So do
        only faces that look straight: eyes read more open on turned ones.
        """
        if not straight(face.pose):
            return
        if self._seen and time - self._seen[-1].time > MOST_GAP:
            self._seen.clear()
        insort(self._seen, _Seen(time, replace(face, landmarks=_NO_LANDMARKS), asked))
        del self._seen[:-MOST_PICTURES]
        ended = _blink_ended(self._seen)
        if ended is not None:
            self._blinked = max(ended, self._blinked or ended)

    def blinked(self, time: float) -> bool:
        """Tell whether a blink ended not long before `time`."""
        return self._blinked is not None and time - self._blinked <= REMEMBERED

    @property
    def has_blinked(self) -> bool:
        """Whether any blink was seen."""
        return self._blinked is not None

    @property
    def pictures(self) -> int:
        """How many pictures there are to judge by."""
        return len(self._seen)

    @property
    def open_eyes(self) -> float | None:
        """Eye aspect ratio of the open eyes, as far as they have been seen."""
        return _mean(_baseline(self._seen).eyes) if self._seen else None

    @property
    def least_open(self) -> float | None:
        """Least eye aspect ratio of the run."""
        return min((_mean(seen.face.eyes) for seen in self._seen), default=None)


def _blink_ended(run: Sequence[_Seen]) -> float | None:
    """Find the end of the last blink of a run, judged anew with all that has been seen by now."""
    blink, ended = Blink(_baseline(run)), None
    for seen in run:
        if seen.asked and blink.update(seen.face, seen.time):
            ended = seen.time
    return ended


def _baseline(run: Sequence[_Seen]) -> Baseline:
    """Learn the person's rest from the half of the pictures with the more open eyes.

    Nobody was asked to look straight first, and half of a short run may be the blink.
    """
    by_eyes = sorted((seen.face for seen in run), key=lambda face: _mean(face.eyes))
    return Baseline.of(by_eyes[len(by_eyes) // 2 :])


def _mean(eyes: Eyes) -> float:
    return (eyes.right + eyes.left) / 2
