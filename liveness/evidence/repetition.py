"""A video that repeats itself: the same half second again, as no living person can show it.

Frames come through a codec, so a loop's second round is nearly its first, never quite. Only the
face and what is around it is compared, in small grey signatures: a room is the same at all times.
A camera's noise is another one in each round; how much there is of it is known from neighbouring
frames, and what two moments differ by for its sake is taken off. What is left of a loop is the
codec's; of people, however still they sit, it is their movement.
"""

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.vision.compiled import compiled
from liveness.vision.observation import Box, Face, Observation, Thumbnail

# By how much a window may differ from the one that it repeats: grey values, root mean square over
# the signatures of a face of this size (share of the picture's shorter side) or larger. A smaller
# face changes a signature less as it moves. `tests/integration/test_recordings.py` prints how near
# people and recordings come to it.
MOST_DIFFERENCE = 0.25
_LARGE_FACE = 0.35
# Looks running that must find a repetition of the same age: one look may meet a coincidence.
_LOOKS = 4

# Seconds between a moment and its repetition at least: nearer ones are alike in everybody.
LEAST_LAG = 2.0
# Seconds that are remembered: the default time limit of a session.
MEMORY = 120.0
# Seconds between two remembered frames at least: all of 30 a second, every other of 60.
_KEEP_EVERY = 0.025
_CAPACITY = int(MEMORY / _KEEP_EVERY)
# Seconds between two looks at least, and of a window at the most: with the looks that must agree
# the second round of a recording is told within a second.
_LOOK_EVERY = 0.079
_PACE = 0.1
_WINDOW = 0.47
# What a window has at least, however few frames come: seconds from its first look, and looks.
_LEAST_WINDOW = 0.37
_LEAST_LOOKS = 4
# By how much a remembered frame may miss its moment, and a repetition be older or younger than the
# look before has found: of the time between two looks, which are a tenth of a second or a frame.
_MOST_OFF = 0.55
_SAME_AGE = 0.7
# A signature is the mean of the frames of so many seconds: two of 20 to 30 a second, one of 10.
_EXPOSURE = 0.058
# Grey values, root mean square, that two signatures may differ by for noise: what noise of
# deviation 5 makes of a picture of 400x300. More than that is movement from frame to frame.
_MOST_NOISE = 0.28
# How far round the face is compared, in shares of its box to each side: hair, neck and shoulders.
_AROUND = 0.2
# Seconds between two remembered frames of which there is a mixture: 10 a second, one missing.
_LONGEST_STEP = 0.21
_ROWS, _COLUMNS = 12, 16

Signature = NDArray[np.float32]
"""(12, 16) float32: mean grey values of the picture's cells."""
Region = tuple[slice, slice]
"""Rows and columns of a signature."""

_NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame's signature, and its mean squared distance to the frame before."""

    time: float
    signature: Signature
    change: float


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: mean squared distances to all that was remembered by then, and what noise adds."""

    time: float
    distances: NDArray[np.float32]
    noise: float


class Repetition:
    """Watches one session. Never more than 4800 frames of 780 bytes are remembered."""

    def __init__(self) -> None:
        self._memory = np.empty((_ROWS, _COLUMNS, _CAPACITY), np.float32)
        self._times = np.empty(_CAPACITY, np.float64)
        self._count = 0
        self._frames: deque[_Frame] = deque()
        self._looks: deque[_Look] = deque()
        self._found = 0
        self._lags = _NOTHING

    def update(self, observation: Observation) -> bool:
        """Take in the next frame; tells whether the last moment was a repetition.

        Only pictures of a face count: an empty room is the same at all times, and so is what a
        browser sends for a camera that was switched off.
        """
        time, face = observation.time, observation.face
        if face is None:
            self._forget_window()
            return False
        if self._frames and time - self._frames[-1].time < _KEEP_EVERY:
            return False
        signature = signature_of(observation.thumbnail)
        self._expose(signature, time)
        repeated = False
        if not self._looks or time - self._looks[-1].time >= _LOOK_EVERY:
            distances = self._distances(self._exposed(), _region(face.box))
            self._looks.append(_Look(time, distances, self._noise()))
            repeated = self._repeated(time, _most_difference(face))
        self._remember(signature, time)
        return repeated

    @property
    def remembered(self) -> int:
        """Frames."""
        return self._count

    def _expose(self, signature: Signature, time: float) -> None:
        """Keep the frames of the last moment, of which a signature is the mean."""
        before = self._frames[-1].signature if self._frames else signature
        self._frames.append(_Frame(time, signature, float(np.square(signature - before).mean())))
        while time - self._frames[0].time > _EXPOSURE:
            self._frames.popleft()

    def _exposed(self) -> Signature:
        first, *others = (frame.signature for frame in self._frames)
        return np.asarray(sum(others, first) / len(self._frames), np.float32)

    def _noise(self) -> float:
        """What noise adds to the mean squared distance of two signatures; 0 where it is unknown.

        Two frames differ by twice a frame's noise, two means of n frames by an nth of that.
        """
        changes = [frame.change for frame in self._frames][1:]
        return sum(changes) / len(changes) / len(self._frames) if changes else 0.0

    @property
    def _pace(self) -> float:
        """Seconds between the last two looks; of those that come in time, a tenth."""
        return max(_PACE, self._looks[-1].time - self._looks[-2].time)

    def _repeated(self, time: float, most: float) -> bool:
        while time - self._looks[0].time > _WINDOW and len(self._looks) > _LEAST_LOOKS:
            self._looks.popleft()
        if len(self._looks) < _LEAST_LOOKS or time - self._looks[0].time < _LEAST_WINDOW:
            self._found = 0
            return False
        # Movement looks like noise to `_noise`: the stillest look knows best.
        noise = min(_MOST_NOISE**2, *(look.noise for look in self._looks))
        self._follow(self._matches(most**2 + noise))
        return self._found >= _LOOKS

    def _follow(self, lags: NDArray[np.float64]) -> None:
        """Count the looks that found a repetition of the same age, seconds."""
        apart = np.abs(lags[:, None] - self._lags)
        same = lags[(apart <= _SAME_AGE * self._pace).any(axis=1)] if self._found else _NOTHING
        self._found = self._found + 1 if same.size else int(lags.size > 0)
        self._lags = same if same.size else lags

    def _matches(self, most: float) -> NDArray[np.float64]:
        """How long ago windows were whose mean squared distance is at most `most`, seconds."""
        newest = self._looks[-1]
        limit = most * len(self._looks)
        end = int(np.searchsorted(self._times[: self._count], newest.time - LEAST_LAG, "right"))
        places = np.flatnonzero(newest.distances[:end] <= limit)
        sums = newest.distances[places].astype(np.float64)
        for look in list(self._looks)[-2::-1]:
            if not places.size:
                break
            sums = sums + self._nearby(look, self._times[places] - (newest.time - look.time))
            kept = sums <= limit
            places, sums = places[kept], sums[kept]
        return np.asarray(newest.time - self._times[places])

    def _nearby(self, look: _Look, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances of a look to what was seen about `times`; infinite for nothing."""
        known = self._times[: look.distances.size]
        nearest = np.searchsorted(known, times - _KEEP_EVERY / 2)
        around = (nearest + np.array([[-1], [0], [1]])).clip(0, known.size - 1)
        off = np.abs(known[around] - times)
        near = np.where(off <= _MOST_OFF * self._pace, look.distances[around], np.inf)
        return np.asarray(near.min(axis=0), np.float64)

    def _distances(self, signature: Signature, region: Region) -> NDArray[np.float32]:
        """Mean squared distances in `region` to what was remembered, as `_nearest` takes them."""
        mixed = np.diff(self._times[: self._count]) <= _LONGEST_STEP
        rows, columns = region
        bounds = rows.start, rows.stop, columns.start, columns.stop
        return _nearest(self._memory, self._count, signature, bounds, mixed)

    def _remember(self, signature: Signature, time: float) -> None:
        if self._count == _CAPACITY:
            self._forget_oldest()
        self._memory[..., self._count] = signature
        self._times[self._count] = time
        self._count += 1

    def _forget_oldest(self) -> None:
        """Let a quarter go; the window, which knows places in the memory, begins anew."""
        gone = _CAPACITY // 4
        for array in (self._memory, self._times):
            array[..., :-gone] = array[..., gone:].copy()
        self._count -= gone
        self._forget_window()

    def _forget_window(self) -> None:
        self._frames.clear()
        self._looks.clear()
        self._found = 0


# Compiled: half a minute of video takes .08 ms of a look, and four passes over it by numpy twice as
# long, which lose digits to sums of squares as well. Matrix products wait for threads of their own.
@compiled
def _nearest(
    memory: NDArray[np.float32],
    count: int,
    now: Signature,
    bounds: tuple[int, int, int, int],
    mixed: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Mean squared distance of `now` to each of `count` frames, or to what lies beside it.

    `memory`: (12, 16, frames). `bounds`: rows and columns that are compared. `mixed`: whether a
    frame and the next one may be mixed: a recording's frames and those of the camera that shows it
    fall together differently in each round, and the nearest mixture of two of them counts.
    """
    top, bottom, left, right = bounds
    apart = np.zeros(count, np.float32)
    steps = np.zeros(count, np.float32)
    towards = np.zeros(count, np.float32)
    for row in range(top, bottom):
        for column in range(left, right):
            cells, cell = memory[row, column], now[row, column]
            for frame in range(count):
                apart[frame] += (cell - cells[frame]) ** 2
            for frame in range(count - 1):
                step = cells[frame + 1] - cells[frame]
                steps[frame] += step * step
                towards[frame] += step * (cell - cells[frame])
    for frame in range(count - 1):
        if mixed[frame] and steps[frame] > 0 and towards[frame] > 0:
            share = min(towards[frame] / steps[frame], 1)
            apart[frame] += share * (share * steps[frame] - 2 * towards[frame])
    apart /= np.float32((bottom - top) * (right - left))
    return apart


def prepare() -> None:
    """Have compiled what is, before anybody waits for it."""
    blank = np.zeros((_ROWS, _COLUMNS), np.float32)
    Repetition()._distances(blank, (slice(0, 1), slice(0, 1)))  # noqa: SLF001 - our own


def _most_difference(face: Face) -> float:
    return MOST_DIFFERENCE * min(1.0, face.quality.size / _LARGE_FACE)


def _region(box: Box) -> Region:
    """The cells that show any of the face or what is around it."""
    x, y = _AROUND * box.width, _AROUND * box.height
    rows = _cells(box.y - y, box.y + box.height + y, _ROWS)
    return rows, _cells(box.x - x, box.x + box.width + x, _COLUMNS)


def _cells(start: float, end: float, count: int) -> slice:
    first = min(max(math.floor(start * count), 0), count - 1)
    return slice(first, min(max(math.ceil(end * count), first + 1), count))


def signature_of(thumbnail: Thumbnail) -> Signature:
    """Reduce (48, 64) uint8 to (12, 16): noise and rounding average out, movements hardly do."""
    size = (_COLUMNS, _ROWS)
    grey = thumbnail.astype(np.float32)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
