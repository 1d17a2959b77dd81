"""A video that repeats itself: the same moments again, as no living person can show them.

Frames come through a codec, so a loop's second round is nearly its first, never quite: moments are
compared by small grey signatures of whole pictures. A moment is a window of six tenths of a
second. How far it may be from an earlier one is measured against what moved meanwhile: somebody
who repeats a movement follows another path at another speed in front of a room that has
not changed, a loop does neither.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.vision.observation import Observation, Thumbnail

# By how much a window may differ from the one that it repeats: grey values, root mean square over a
# signature. What a codec makes of equal pictures differs by this much, and by this share of the
# motion in the window. Measured after VP8 at 1 Mbit/s and less: with all limits of this file 1.4
# times as wide the first of 25 clips of people would be found, the stillest of real sitters; 1.8
# times, a puppet that makes the same three moves three times. A loop's moving part is still found
# with .6 of them, with noise of deviation 5 added with .9.
_CODEC_NOISE = 0.33
_CODEC_SHARE = 0.01
# Where little moves there is little to tell moments apart by: never more than this share of it.
_MOST_SHARE = 0.28
# Looks running that must find a repetition, of what was so long ago, to a frame or two: one look
# may meet a coincidence.
_LOOKS = 3
_SAME_LAG = 0.07
# A frozen picture has no motion to compare with. Its windows stay within this for so long, seconds;
# the stillest of real sitters comes as near as .41 at the least, and stays within .5 for so long.
_STILL_DIFFERENCE = 0.36
_STILL_SECONDS = 2.0

# Seconds between a moment and its repetition at least: nearer ones are alike in everybody.
LEAST_LAG = 2.0
# Seconds that are remembered: the default time limit of a session.
MEMORY = 120.0
# Seconds between two remembered frames at least: all of 30 a second, every other of 60.
_KEEP_EVERY = 0.025
_CAPACITY = int(MEMORY / _KEEP_EVERY)
# Seconds between two looks at least, and of a window at the most: with the looks that must agree
# the second round of a recording is told within a second.
_LOOK_EVERY = 0.085
_WINDOW = 0.65
# What is left of a window at least when frames are missing: seconds from its first look, and looks.
_LEAST_WINDOW = 0.45
_LEAST_LOOKS = 5
# Seconds by which a remembered frame may miss its moment: half a frame at 10 a second.
_MOST_OFF = 0.055
# Middle of the grey scale: sums of squares of signatures about it keep their digits in 32 bits.
_MIDDLE = 128.0

Signature = NDArray[np.float32]
"""(192,) float32: means of two by two of a thumbnail's grey values, around zero."""

_NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: its signature, and its squared distances to all that was remembered by then."""

    time: float
    signature: Signature
    distances: NDArray[np.float32]


class Repetition:
    """Watches one session. Never more than 4800 frames of 780 bytes are remembered."""

    def __init__(self) -> None:
        self._memory = np.empty((_CAPACITY, 192), np.float32)
        self._squares = np.empty(_CAPACITY, np.float32)
        self._times = np.empty(_CAPACITY, np.float64)
        self._count = 0
        self._looks: deque[_Look] = deque()
        self._found = 0
        self._lags = _NOTHING
        self._still_since: float | None = None

    def update(self, observation: Observation) -> bool:
        """Take in the next frame; tells whether the last moment was a repetition.

        Only pictures of a face count: an empty room is the same at all times, and so is what a
        browser sends for a camera that was switched off.
        """
        time = observation.time
        if observation.face is None:
            self._forget_window()
            return False
        if self._count and time - self._times[self._count - 1] < _KEEP_EVERY:
            return False
        signature = signature_of(observation.thumbnail)
        repeated = False
        if not self._looks or time - self._looks[-1].time >= _LOOK_EVERY:
            self._looks.append(_Look(time, signature, self._distances(signature)))
            repeated = self._repeated(time)
        self._remember(signature, time)
        return repeated

    @property
    def remembered(self) -> int:
        """Frames."""
        return self._count

    def _repeated(self, time: float) -> bool:
        while time - self._looks[0].time > _WINDOW:
            self._looks.popleft()
        whole = len(self._looks) >= _LEAST_LOOKS and time - self._looks[0].time >= _LEAST_WINDOW
        if not whole:
            self._found = 0
            self._still_since = None
            return False
        most = _most_difference(self._motion())
        differences, lags = self._matches(max(most, _STILL_DIFFERENCE))
        self._follow(lags[differences <= most])
        if not (differences <= _STILL_DIFFERENCE).any():
            self._still_since = None
        elif self._still_since is None:
            self._still_since = self._looks[0].time
        still = self._still_since is not None and time - self._still_since >= _STILL_SECONDS
        return self._found >= _LOOKS or still

    def _follow(self, lags: NDArray[np.float64]) -> None:
        """Count the looks that found a repetition of the same age, seconds."""
        apart = np.abs(lags[:, None] - self._lags)
        same = lags[(apart <= _SAME_LAG).any(axis=1)] if self._found else _NOTHING
        self._found = self._found + 1 if same.size else int(lags.size > 0)
        self._lags = same if same.size else lags

    def _motion(self) -> float:
        """How far the window's signatures are from their mean, grey values."""
        signatures = np.array([look.signature for look in self._looks])
        return float(np.sqrt(signatures.var(axis=0).mean()))

    def _matches(self, most: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Differences of earlier windows that are at most `most`, and how long ago they were."""
        newest = self._looks[-1]
        limit = most**2 * len(self._looks)
        end = int(np.searchsorted(self._times[: self._count], newest.time - LEAST_LAG, "right"))
        places = np.flatnonzero(newest.distances[:end] <= limit)
        sums = newest.distances[places].astype(np.float64)
        for look in list(self._looks)[-2::-1]:
            if not places.size:
                break
            sums = sums + self._nearby(look, self._times[places] - (newest.time - look.time))
            kept = sums <= limit
            places, sums = places[kept], sums[kept]
        return np.sqrt(sums / len(self._looks)), newest.time - self._times[places]

    def _nearby(self, look: _Look, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances of a look to what was seen about `times`; infinite for nothing.

        The least of three frames: a recording's own frames and those of the camera that shows it
        fall together differently in each round.
        """
        known = self._times[: look.distances.size]
        after = np.searchsorted(known, times)
        around = (after + np.array([[-1], [0], [1]])).clip(0, known.size - 1)
        off = np.abs(known[around] - times)
        near = np.where(off <= _MOST_OFF, look.distances[around], np.inf)
        return np.asarray(near.min(axis=0), np.float64)

    def _distances(self, signature: Signature) -> NDArray[np.float32]:
        """Mean squared distances of all remembered frames, by one matrix-vector product.

        On this thread: as `memory @ signature` it would wait for threads of the linear algebra
        library's own, 10 ms and more where the cores are busy, instead of .07.
        """
        memory, squares = self._memory[: self._count], self._squares[: self._count]
        products = np.einsum("ij,j->i", memory, signature)
        distances = squares + (signature @ signature - 2 * products)
        return np.asarray(np.maximum(distances, 0) / signature.size, np.float32)

    def _remember(self, signature: Signature, time: float) -> None:
        if self._count == _CAPACITY:
            self._forget_oldest()
        self._memory[self._count] = signature
        self._squares[self._count] = signature @ signature
        self._times[self._count] = time
        self._count += 1

    def _forget_oldest(self) -> None:
        """Let a quarter go; the window, which knows places in the memory, begins anew."""
        gone = _CAPACITY // 4
        for array in (self._memory, self._squares, self._times):
            array[:-gone] = array[gone:].copy()
        self._count -= gone
        self._forget_window()

    def _forget_window(self) -> None:
        self._looks.clear()
        self._found = 0
        self._still_since = None


def _most_difference(motion: float) -> float:
    return min(_MOST_SHARE * motion, _CODEC_NOISE + _CODEC_SHARE * motion)


def signature_of(thumbnail: Thumbnail) -> Signature:
    """Reduce (24, 32) uint8 to (192,): noise and rounding halve, movements hardly do."""
    means = thumbnail.reshape(12, 2, 16, 2).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(means.reshape(-1) - _MIDDLE, np.float32)
