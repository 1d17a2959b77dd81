"""Look straight at the camera; what is seen meanwhile becomes the baseline of all that follows."""

from collections import deque

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Hint
from liveness.vision.observation import Face, Pose

# How long a face must rest, seconds: eighteen frames at 30 fps for the medians of a baseline, and
# more than the longest blink.
_HOLD = 0.6
# Resting heads read up to 10 degrees of yaw, and pitch up to 20 with a camera below the eyes.
_MOST_YAW = 15.0
MOST_PITCH = 28.0
"""Degrees up or down: no face is measured well beyond."""
_MOST_ROLL = 20.0
# A head that sways more than this meanwhile, degrees of yaw, is not at rest.
_MOST_SWAY = 7.0


class Front:
    """Met when the face has rested for a moment."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self.progress = 0.0
        self.hint = Hint.LOOK_STRAIGHT
        self._rest: deque[tuple[float, Face]] = deque()

    def update(self, face: Face, time: float) -> bool:
        """Take in one frame; tells whether the face has rested long enough."""
        if not straight(face.pose):
            self.interrupt()
            return False
        self._rest.append((time, face))
        while self._sway() > _MOST_SWAY:
            self._rest.popleft()
        held = time - self._rest[0][0]
        self.progress = min(held / _HOLD, 1.0)
        self.hint = Hint.HOLD
        if held < _HOLD:
            return False
        self._baseline.learn([face for _, face in self._rest])
        return True

    def interrupt(self) -> None:
        """The face did not rest: begin again."""
        self._rest.clear()
        self.progress = 0.0
        self.hint = Hint.LOOK_STRAIGHT

    def _sway(self) -> float:
        yaws = [face.pose.yaw for _, face in self._rest]
        return max(yaws) - min(yaws)


def straight(pose: Pose) -> bool:
    """Tell whether a face looks at the camera, as far as a resting one does."""
    return (
        abs(pose.yaw) <= _MOST_YAW
        and abs(pose.pitch) <= MOST_PITCH
        and abs(pose.roll) <= _MOST_ROLL
    )
