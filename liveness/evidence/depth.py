"""Depth of a turned face: the nose of a head leaves the plane of eyes, brows and mouth.

A picture of a face has no such nose. Tilted, it does something that no head does as well: it
becomes narrow and keeps its height.
"""

from collections import deque
from statistics import median

import numpy as np
from numpy.typing import NDArray

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Challenge
from liveness.challenge.sequence import Progress
from liveness.vision.observation import Face, Landmarks, Observation

# Points near one plane: brows, eyes and corners of the mouth, which are still in speech.
_PLANE = np.array([*range(17, 27), *range(36, 48), 48, 54])
# The lower bridge and the tip of the nose, which stick out furthest.
_NOSE = np.array([29, 30, 33])
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)

# Degrees from rest from which a turn tells depth; nearer ones are too small to tell.
_TURNED = 15.0
# Inter-ocular distances that a nose moves at least: in 803 frames of 12 people and rendered heads,
# turned this far, it moved .108 and more.
LEAST_SHIFT = 0.08
# Shares by which a face may be taller for its width than at rest and still be a head: people
# measured up to .18. The prints of 50 degrees and more that it takes to look turned have .4.
_HEAD_STRETCH = 0.2
_SHEET_STRETCH = 0.28
# Frames that are judged together, at 30 a second a third of a second, and how few will do for a
# turn that was over sooner.
_FRAMES = 9
_ENOUGH = 5
_FEWEST = 3
# Seconds of a stretched face that make a sheet: no slip of a few landmarks lasts as long.
_SHEET_SECONDS = 0.4
# Seconds of frontal frames, before `front` passes, whose medians are the face at rest.
_REST_SECONDS = 0.6
# Seconds that a session that has passed otherwise waits for a turn to be judged.
_PATIENCE = 0.6


class Depth:
    """Watches the turns of one session."""

    def __init__(self) -> None:
        self._resting: deque[tuple[float, Face]] = deque()
        self._rest: Baseline | None = None
        self._side = 0.0
        self._since = 0.0
        self._time = 0.0
        self._shifts: deque[float] = deque(maxlen=_FRAMES)
        self._stretched: deque[tuple[float, float]] = deque()

    def update(self, observation: Observation, progress: Progress) -> bool:
        """Take in the next frame; tells whether what turns has no depth."""
        face, self._time = observation.face, observation.time
        if face is None or observation.faces != 1:
            self._stretched.clear()
            return self._end()
        if progress.step == 0 and not progress.passed_all:
            self._settle(face, observation.time)
            return False
        if self._rest is None:
            self._rest = Baseline.of([face for _, face in self._resting] or [face])
        asked = progress.challenge in {Challenge.RIGHT, Challenge.LEFT}
        return self._is_sheet(face, self._rest, asked=asked) or self._turn(face, self._rest)

    @property
    def decided(self) -> bool:
        """Whether no turn is still to be judged."""
        waiting = self._side != 0 and len(self._shifts) < _ENOUGH
        return not waiting or self._time - self._since > _PATIENCE

    def _settle(self, face: Face, time: float) -> None:
        """Look at the face at rest, at first and whenever the session starts over."""
        if self._rest is not None:
            self._rest = None
            self._resting.clear()
            self._stretched.clear()
            self._leave()
        self._resting.append((time, face))
        while time - self._resting[0][0] > _REST_SECONDS:
            self._resting.popleft()

    def _turn(self, face: Face, rest: Baseline) -> bool:
        """Follow a turn to either side; it is judged as soon as it lasts, or at its end."""
        turn = rest.turn(face)
        side = float(np.sign(turn)) if abs(turn) >= _TURNED else 0.0
        if side != self._side:
            flat = self._end()
            self._side, self._since = side, self._time
            if flat:
                return True
        if side and abs(rest.stretch(face)) <= _HEAD_STRETCH:
            self._shifts.append(side * nose_shift(rest.landmarks, face.landmarks))
        return len(self._shifts) >= _ENOUGH and median(self._shifts) < LEAST_SHIFT

    def _is_sheet(self, face: Face, rest: Baseline, *, asked: bool) -> bool:
        """Whether a turn was asked, and something narrow and flat has been shown for a while."""
        if not asked or rest.stretch(face) < _SHEET_STRETCH:
            self._stretched.clear()
            return False
        self._stretched.append((self._time, nose_shift(rest.landmarks, face.landmarks)))
        lasted = self._time - self._stretched[0][0] >= _SHEET_SECONDS
        while self._time - self._stretched[0][0] > _SHEET_SECONDS:
            self._stretched.popleft()
        shift = abs(median(shift for _, shift in self._stretched))
        return lasted and len(self._stretched) >= _FEWEST and shift < LEAST_SHIFT

    def _end(self) -> bool:
        """Judge a turn that is over by what was seen of it."""
        flat = len(self._shifts) >= _FEWEST and median(self._shifts) < LEAST_SHIFT
        self._leave()
        return flat

    def _leave(self) -> None:
        self._side = 0.0
        self._shifts.clear()


def nose_shift(front: Landmarks, turned: Landmarks) -> float:
    """How far the nose moves off the plane between two views of a face.

    `front`, `turned`: (68, 2). In inter-ocular distances of the frontal view, positive to the
    picture's right. A view of a flat picture is nearly an affine map of any other: it gives 0.
    """
    plane = np.column_stack([turned[_PLANE], np.ones(_PLANE.size)]).astype(np.float64)
    back, *_ = np.linalg.lstsq(plane, front[_PLANE].astype(np.float64), rcond=None)
    nose = np.column_stack([turned[_NOSE], np.ones(_NOSE.size)]) @ back
    across = _across(front)
    moved = (nose - front[_NOSE]).mean(axis=0)
    return float(moved @ across / max(float(across @ across), 1e-6))


def _across(points: Landmarks) -> NDArray[np.float64]:
    """From the middle of the right eye to that of the left one, pixels."""
    eyes = points[_LEFT_EYE].mean(axis=0) - points[_RIGHT_EYE].mean(axis=0)
    return np.asarray(eyes, np.float64)
