"""One person all the way: faces compared by a descriptor, 128 numbers that are near for one person.

What computes descriptors is slow and elsewhere: `Identity` says which frames are worth it, and is
told what came of them, later.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from liveness.challenge.names import Hint
from liveness.challenge.sequence import Progress
from liveness.vision.observation import Face, Observation

Descriptor = NDArray[np.float64]
"""(128,) float64."""

MOST_DISTANCE = 0.55
"""From the mean of a person's first descriptors. Faces of one person, frontal or turned, came to
.45 at the most here and to .53 in a larger set; of other people one pair in twenty is nearer, and
far more among people who look alike: family, rendered heads (one pair in three)."""

TEMPLATE = 3
"""Descriptors that make the template: single frames of a talking person are up to .61 apart."""

_CHECKS = 2
"""Descriptors whose mean speaks against a person: one may be of a blurred frame."""

# Seconds of video after which a person who passes nothing is compared again: nobody passes by being
# slow, and a full core that compared its people every three lost the time to measure them.
_RECHECK = 20.0

PATIENCE = 8.0
"""Seconds of video until a comparison that has not been made will not be: it takes .1 on a machine
that is not full."""


class Purpose(StrEnum):
    """What a descriptor is wanted for."""

    ENROL = "enrol"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Request:
    """A face to be described, of the frame at `time`.

    `run`: how often the session, or its first step, had started over by then.
    """

    purpose: Purpose
    run: int
    time: float
    face: Face


class Identity:
    """Watches one session; it takes whoever passes `front`, each time that is begun."""

    def __init__(self) -> None:
        self.changed = False
        """Whether another face has been seen."""
        self.compared = False
        """Whether faces have been compared at all."""
        self._run = 0
        self._passed = 0
        self._resting = False
        self._template: list[Descriptor] = []
        self._checks: list[Descriptor] = []
        self._due: float | None = None
        self._was_there = False
        self._checked = 0.0
        self._time = 0.0

    def follow(self, observation: Observation, progress: Progress) -> Request | None:
        """Take in the next frame; tells whether its face should be described, and for what."""
        self._time = observation.time
        self._count(progress)
        face = observation.face
        if face is None or observation.faces != 1:
            return None
        self._was_there = True
        if self._due is not None and self._template:
            return Request(Purpose.CHECK, self._run, self._time, face)
        # Who comes after `front` has passed may be another one already.
        if progress.rests and len(self._template) < TEMPLATE:
            return Request(Purpose.ENROL, self._run, self._time, face)
        return None

    def take(self, request: Request, descriptor: Descriptor) -> float | None:
        """Be told what came of a request; tells how far apart faces are that it compared."""
        if not self.wants(request):
            return None
        if request.purpose is Purpose.ENROL:
            self._template.append(descriptor)
            return None
        self._checks.append(descriptor)
        apart = distance(self._template, self._checks)
        self.compared = True
        if apart <= MOST_DISTANCE:
            self._checks.clear()
            # An answer may come late: a step that was passed since then is still to be compared.
            if self._due is not None and request.time >= self._due:
                self._due = None
        elif len(self._checks) >= _CHECKS:
            self.changed = True
        return apart

    def wants(self, request: Request) -> bool:
        """Whether what comes of a request is of use, which was made some frames ago."""
        enough = request.purpose is Purpose.ENROL and len(self._template) >= TEMPLATE
        return request.run == self._run and not enough

    def doubt(self) -> None:
        """Have the next face compared, whatever was passed: something else speaks against it."""
        self._due = self._checked = self._time

    @property
    def settled(self) -> bool:
        """Whether a doubted face has been compared, or will not be."""
        return self.decided or self.overdue or not self._template

    @property
    def decided(self) -> bool:
        """Whether every passed step has been compared."""
        return self._due is None

    @property
    def overdue(self) -> bool:
        """Whether a comparison has been waited for in vain."""
        return self._due is not None and self._time - self._due > PATIENCE

    @property
    def hidden(self) -> bool:
        """Whether that is because no face was to be seen since."""
        return self.overdue and not self._was_there

    def _count(self, progress: Progress) -> None:
        """Count the passed steps: each but `front` wants a comparison, and so does a long one."""
        passed = progress.step + (progress.hint is Hint.PASSED)
        if progress.passed_all:
            passed = progress.steps
        if passed < self._passed or (self._resting and not progress.rests and passed == 0):
            self._run += 1
            self._template.clear()
            self._checks.clear()
            self._due = None
        self._resting = progress.rests
        if passed != self._passed:
            self._checked = self._time
        again = passed > 0 and self._due is None and self._time - self._checked >= _RECHECK
        if passed > max(self._passed, 1) or again:
            self._was_there = False
            self._due = self._checked = self._time
        self._passed = passed


def distance(some: list[Descriptor], others: list[Descriptor]) -> float:
    """Euclidean distance of the means of two lists of descriptors, none of them empty."""
    return float(np.linalg.norm(np.mean(some, axis=0) - np.mean(others, axis=0)))
