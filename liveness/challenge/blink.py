"""Blink: both eyes open, shut for a moment, and open again."""

from dataclasses import dataclass

from liveness.challenge.baseline import SHUT, Baseline
from liveness.challenge.names import Hint
from liveness.vision.observation import Face

# Eyes are open again when they have made up this share of the closure, and noise ends no blink when
# they are at least this open. Some people's lids take half a second for the rest of the way.
_REOPENED = 0.6
_LEAST_OPEN = 0.75
# From this interval between frames on, seconds, one open frame is enough to end a blink.
_SURE_INTERVAL = 0.06
# A blink is seen in this many frames running in which the eyes are at least half shut, and so are
# open eyes after it: one noisy frame is none, and dlib sometimes takes lashes on a shut lid for an
# open eye.
_FRAMES = 2
_HALF_SHUT = 0.82
# Neither eye may be more open than this when they are most shut: a wink is no blink.
_EITHER_SHUT = 0.8
# How long eyes are shut in a blink, seconds: natural ones 0.1 to 0.4 (Caffier, Erdmann and
# Ullsperger, 2003); over half a second they were held shut; the bound allows for a frame.
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
    """A closure being followed, from the open eyes before it on; times in seconds."""

    interval: float
    before: Face
    frames: int = 0
    shut_at: float | None = None
    shut_until: float = 0.0
    deepest: float = 1.0
    one_eyed: bool = False
    moved: bool = False
    reopened: int = 0

    def follow(self, face: Face, time: float, baseline: Baseline) -> None:
        """Take in one more frame of it."""
        both = baseline.openness(face)
        openness = sum(both) / 2
        self.moved |= (
            abs(face.pose.pitch - self.before.pose.pitch) > _MOST_NOD
            or abs(face.pose.yaw - self.before.pose.yaw) > _MOST_TURN
            or baseline.stretch(face) < -_MOST_SQUASH
        )
        if openness < self.deepest:
            self.deepest = openness
            self.one_eyed = max(both) > _EITHER_SHUT
        self.frames += openness < _HALF_SHUT
        if openness < SHUT:
            self.shut_at = time if self.shut_at is None else self.shut_at
            self.shut_until = time
        open_again = max(self.deepest + _REOPENED * (1 - self.deepest), _LEAST_OPEN)
        self.reopened = self.reopened + 1 if openness > open_again else 0

    @property
    def is_over(self) -> bool:
        """Whether the eyes are open again."""
        return self.reopened >= (1 if self.interval > _SURE_INTERVAL else _FRAMES)

    def is_blink(self) -> bool:
        """Whether it was a blink, now that the eyes are open again."""
        if self.shut_at is None or self.moved or self.one_eyed:
            return False
        if self.interval > _SLOW_INTERVAL:
            return True
        seconds = self.shut_until - self.shut_at + self.interval
        return self.frames >= _FRAMES and seconds <= _MOST_SECONDS


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
        openness = sum(self._baseline.openness(face)) / 2
        self._since = time if self._since is None else self._since
        if abs(self._baseline.turn(face)) > _FRONTAL:
            self.interrupt()
            self.hint = Hint.LOOK_STRAIGHT
            return False
        self.hint = Hint.EYES_HIDDEN if time - self._since > _PATIENCE else Hint.BLINK
        self.progress = _share(openness)
        if self._closure is None and openness < _HALF_SHUT and self._open is not None:
            before, at_rest = self._open
            self._closure = _Closure(time - before, at_rest)
        if self._closure is not None:
            return self._closing(self._closure, face, time)
        if openness >= _HALF_SHUT:
            self._open = (time, face)
        return False

    def interrupt(self) -> None:
        """Begin again from open eyes."""
        self.progress = 0.0
        self._open = None
        self._closure = None

    def _closing(self, closure: _Closure, face: Face, time: float) -> bool:
        """Follow a closure until the eyes are open again."""
        closure.follow(face, time, self._baseline)
        if not closure.is_over:
            return False
        self._closure = None
        self._open = (time, face)
        return closure.is_blink()


def _share(openness: float) -> float:
    """How much of a blink has been seen: open eyes 0, shut ones .8, the rest is opening again."""
    return 0.8 * min(max((1 - openness) / (1 - SHUT), 0.0), 1.0)
