"""Clear movements that were not asked for: how a recording in another order gives itself away."""

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Challenge
from liveness.challenge.turn import FRONTAL, SIGN
from liveness.vision.observation import Face

# Degrees from rest: clearly more than what passes a turn, so that nobody is sent back for a glance.
_STRAY = 18.0
_FRAMES = 2
# How long a face must have been frontal in this step for a turn to have begun there, seconds.
# Someone who comes back from one side and swings to the other crosses the front faster.
_SETTLED = 0.25


class Stray:
    """Watches one step for a turn that it did not ask for."""

    def __init__(self, challenge: Challenge, baseline: Baseline) -> None:
        self._baseline = baseline
        self._asked = SIGN.get(challenge)
        self._frontal_since: float | None = None
        self._settled = False
        self._frames = 0

    def settle(self, face: Face, time: float) -> None:
        """Take in a frame that is too early to count, as a turn may well begin from there."""
        if abs(self._baseline.turn(face)) <= FRONTAL:
            self._frontal_since = time if self._frontal_since is None else self._frontal_since
            self._settled |= time - self._frontal_since >= _SETTLED
        else:
            self._frontal_since = None

    def update(self, face: Face, time: float) -> bool:
        """Take in a frame that counts; tells whether it ends a wrong move."""
        self.settle(face, time)
        turn = self._baseline.turn(face)
        wrong = abs(turn) if self._asked is None else -turn * self._asked
        self._frames = self._frames + 1 if self._settled and wrong >= _STRAY else 0
        return self._frames >= _FRAMES

    def interrupt(self) -> None:
        """The face was away: what it does next did not begin from the front."""
        self._frontal_since = None
        self._settled = False
        self._frames = 0
