"""Turn the head to the person's own right or left, from a frontal face."""

from liveness.challenge.baseline import Baseline
from liveness.challenge.names import Challenge, Hint
from liveness.vision.observation import Face

# Degrees from rest that count as frontal, and as turned. Real people who are asked to turn reach
# 20 to 27 degrees; faces with flat noses read a sixth less than the truth.
FRONTAL = 7.0
TURNED = 12.0
# A turn is seen in this many frames running: one noisy frame is none.
_FRAMES = 2
# A head keeps its aspect as it turns: people measured up to .12 off, talking ones .17. A print that
# is tilted far enough to read as turned has lost .2 and more of its width.
_MOST_STRETCH = 0.18
# Degrees of pitch that people nod as they turn, and more. On a print that is almost edge-on, points
# that have lost their hold read as one looking far up or down.
_MOST_NOD = 15.0
# Degrees a second that heads do not reach: people who turn as asked came to 170. Photographs of a
# turned face that take each other's place do, where 15 frames a second and more are seen.
_FASTEST = 350.0
# Degrees from one frame to the next that may be noise of the landmarks.
_NOISE = 8.0
# From here on a turn to the wrong side is told, degrees.
_WRONG_WAY = 8.0

SIGN = {Challenge.RIGHT: -1.0, Challenge.LEFT: 1.0}
"""Sign of yaw of each turn."""


class Turn:
    """Met when a head that was frontal has turned far enough."""

    def __init__(self, challenge: Challenge, baseline: Baseline) -> None:
        self._baseline = baseline
        self.progress = 0.0
        self.hint = Hint.TURN_MORE
        self._sign = SIGN[challenge]
        self._was_frontal = False
        self._before: tuple[float, float] | None = None
        self._turned = 0

    def update(self, face: Face, time: float) -> bool:
        """Take in one frame; tells whether the head has turned."""
        turn = self._sign * self._baseline.turn(face)
        if self._before is not None and _jumps(*self._before, time, turn):
            self.interrupt()
        # A swing from the other side may pass the front between two frames.
        crossed = self._before is not None and self._before[1] < 0 < turn
        self._was_frontal |= abs(turn) <= FRONTAL or crossed
        self._before = time, turn
        if not self._was_frontal:
            self.hint = Hint.LOOK_STRAIGHT
            return False
        self.hint = Hint.WRONG_WAY if turn < -_WRONG_WAY else Hint.TURN_MORE
        self.progress = min(max(turn / TURNED, 0.0), 1.0)
        self._turned = self._turned + 1 if turn >= TURNED and self._is_head(face) else 0
        return self._turned >= _FRAMES

    def _is_head(self, face: Face) -> bool:
        """Whether the face has kept its shape, as a head does that turns."""
        nod = face.pose.pitch - self._baseline.pitch
        return abs(self._baseline.stretch(face)) <= _MOST_STRETCH and abs(nod) <= _MOST_NOD

    def interrupt(self) -> None:
        """Begin again from a frontal face."""
        self.progress = 0.0
        self._was_frontal = False
        self._before = None
        self._turned = 0


def _jumps(before: float, start: float, time: float, turn: float) -> bool:
    """Whether a face that was at `start` degrees has come to `turn` as no head can."""
    return abs(turn - start) > max(_NOISE, _FASTEST * (time - before))
