"""Blink: both eyes open, shut for a moment, and open again."""

from dataclasses import dataclass

from liveness.challenge.baseline import SHUT, Baseline
from liveness.challenge.names import Hint
from liveness.vision.observation import Face

# Eyes are open again when they have made up this share of the closure, and noise ends no blink when
# they are at least this open. Some people's lids take half a second for the rest of the way.
_REOPENED = 0.6
_LEAST_OPEN = 0.75
# dlib sometimes takes the lashes on a shut lid for an open eye, so one frame does not end a blink,
# unless frames are further apart than this, seconds.
_SURE_INTERVAL = 0.06
# A blink is seen in this many frames running in which the eyes are at least half shut: one noisy
# frame is none.
_FRAMES = 2
_HALF_SHUT = 0.82
# Neither eye may be more open than this in a blink: a wink is none.
_EITHER_SHUT = 0.8
# How long eyes are shut in a blink, seconds: natural ones 0.1 to 0.4 (Caffier, Erdmann and
# Ullsperger, 2003); over half a second they were held shut. The last bound allows for a frame.
_LEAST_SECONDS = 0.05
_MOST_SECONDS = 0.55
# From this interval between frames on, seconds, a whole blink may lie in one frame, and the frames
# no longer tell how long it was.
_SLOW_INTERVAL = 0.095
# A nod or a turn narrows the eyes as well: degrees that the head may move meanwhile.
_MOST_NOD = 8.0
_MOST_TURN = 8.0
# So does a nodded print, which has to lose a quarter of its height before its eyes look shut.
# Blinking people keep the aspect of their rest to .02, rendered heads to .1.
_MOST_SQUASH = 0.14
# Only about a frontal face are both eyes seen well enough, degrees from rest.
_FRONTAL = 14.0
# With no sign of a blink for so long, seconds, the eyes may be hidden, by glasses or by hair.
_PATIENCE = 6.0


@dataclass(slots=True)
class _Closure:
    """A closure being followed: its half shut frames, and the open eyes before the first of them."""

    interval: float
    start: float
    last: float
    before: Face
    frames: int = 0
    deepest: float = 1.0
    moved: bool = False
    reopened: bool = False

    def follow(self, face: Face, time: float, openness: float, stretch: float) -> None:
        """Take in one more frame of it."""
        self.moved |= (
            abs(face.pose.pitch - self.before.pose.pitch) > _MOST_NOD
            or abs(face.pose.yaw - self.before.pose.yaw) > _MOST_TURN
            or stretch < -_MOST_SQUASH
        )
        self.deepest = min(self.deepest, openness)
        self.frames += openness < _HALF_SHUT
        if openness < SHUT:
            self.last = time

    def is_over(self, openness: float) -> bool:
        """Whether the eyes are open again, in two frames running."""
        reopened = openness > max(self.deepest + _REOPENED * (1 - self.deepest), _LEAST_OPEN)
        over = reopened and (self.reopened or self.interval > _SURE_INTERVAL)
        self.reopened = reopened
        return over

    def is_blink(self) -> bool:
        """Whether it was a blink, now that the eyes are open again."""
        if self.interval > _SLOW_INTERVAL:
            return not self.moved
        seconds = self.last - self.start + self.interval
        lasted = _LEAST_SECONDS <= seconds <= _MOST_SECONDS
        return self.frames >= _FRAMES and lasted and not self.moved


class Blink:
    """Met by a closure of both eyes that is neither too short nor too long."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self.progress = 0.0
        self.hint = Hint.BLINK
        self._since: float | None = None
        self._open: tuple[float, Face] | None = None
        self._closure: _Closure | None = None

    def update(self, face: Face, time: float) -> bool:
        """Take in one frame; tells whether a blink has just ended."""
        right, left = self._baseline.openness(face)
        openness = (right + left) / 2
        self._since = time if self._since is None else self._since
        if abs(self._baseline.turn(face)) > _FRONTAL:
            self.interrupt()
            self.hint = Hint.LOOK_STRAIGHT
            return False
        self.hint = Hint.EYES_HIDDEN if time - self._since > _PATIENCE else Hint.BLINK
        self.progress = _share(openness)
        if self._closure is not None:
            return self._closing(self._closure, face, time, openness)
        if openness >= SHUT:
            self._open = (time, face)
        elif self._open is not None and max(right, left) < _EITHER_SHUT:
            before, at_rest = self._open
            self._closure = _Closure(time - before, time, time, at_rest)
            self._closure.follow(face, time, openness, self._baseline.stretch(face))
        return False

    def interrupt(self) -> None:
        """Begin again from open eyes."""
        self.progress = 0.0
        self._open = None
        self._closure = None

    def _closing(self, closure: _Closure, face: Face, time: float, openness: float) -> bool:
        """Follow a closure until the eyes are open again."""
        closure.follow(face, time, openness, self._baseline.stretch(face))
        if not closure.is_over(openness):
            return False
        self._closure = None
        self._open = (time, face)
        return closure.is_blink()


def _share(openness: float) -> float:
    """How much of a blink has been seen: open eyes 0, shut ones .8, the rest is opening again."""
    return 0.8 * min(max((1 - openness) / (1 - SHUT), 0.0), 1.0)
