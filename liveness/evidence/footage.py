"""What was seen of a session, much reduced, to look up whether a moment was there before."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.vision.compiled import compiled
from liveness.vision.observation import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Box, Thumbnail

# Seconds that are remembered: the default time limit of a session.
MEMORY = 120.0
# Seconds between two remembered frames at least: all of 30 a second, every other of 60.
KEEP_EVERY = 0.025
CAPACITY = int(MEMORY / KEEP_EVERY)
# Thumbnails that are remembered, 20 s of 30 a second: they have four times a signature's bytes.
_THUMBNAILS = CAPACITY // 8
# Frames that are forgotten at once. A multiple: the ring of thumbnails stays as it is.
_FORGOTTEN = 2 * _THUMBNAILS
# Seconds between two remembered frames of which there is a mixture: 10 a second, one missing.
_LONGEST_STEP = 0.21
_ROWS, _COLUMNS = 12, 16

Signature = NDArray[np.float32]
"""(12, 16) float32: mean grey values of the picture's cells."""
Region = tuple[slice, slice]
"""Rows and columns of a signature, or of a thumbnail."""


class Footage:
    """Signatures of at most 4800 frames, 780 bytes each; thumbnails of the last 600, 3 KB each."""

    def __init__(self) -> None:
        self._signatures = np.empty((_ROWS, _COLUMNS, CAPACITY), np.float32)
        self._thumbnails = np.empty((_THUMBNAILS, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH), np.uint8)
        self._times = np.empty(CAPACITY, np.float64)
        self._count = 0

    def __len__(self) -> int:
        """How many frames are remembered."""
        return self._count

    @property
    def times(self) -> NDArray[np.float64]:
        """(frames,) float64: when each was seen, seconds."""
        return self._times[: self._count]

    @property
    def full(self) -> bool:
        """Whether there is no room for another frame."""
        return self._count == CAPACITY

    def add(self, time: float, signature: Signature, thumbnail: Thumbnail) -> None:
        """Remember a frame that is later than all others. There must be room for it."""
        self._signatures[..., self._count] = signature
        self._thumbnails[self._count % _THUMBNAILS] = thumbnail
        self._times[self._count] = time
        self._count += 1

    def forget_oldest(self) -> None:
        """Let a quarter go, when there is no room; frames have other places then."""
        for array in (self._signatures, self._times):
            array[..., :-_FORGOTTEN] = array[..., _FORGOTTEN:].copy()
        self._count -= _FORGOTTEN

    def distances(self, signature: Signature, region: Region) -> NDArray[np.float32]:
        """Mean squared distances in `region` to every frame, as `_nearest` takes them."""
        mixed = np.diff(self.times) <= _LONGEST_STEP
        rows, columns = region
        bounds = rows.start, rows.stop, columns.start, columns.stop
        return _nearest(self._signatures, self._count, signature, bounds, mixed)

    def pictures(self, times: NDArray[np.float64], region: Region) -> NDArray[np.float32] | None:
        """What was seen in `region` of the thumbnails at these growing times, seconds.

        (times, rows, columns) float32, mixed from the frames before and after. None where one of
        those is forgotten, still to come, or too far from the other.
        """
        before = np.searchsorted(self.times, times, "right") - 1
        if before[0] < max(self._count - _THUMBNAILS, 0) or before[-1] + 1 >= self._count:
            return None
        steps = self._times[before + 1] - self._times[before]
        if steps.max() > _LONGEST_STEP:
            return None
        share = ((times - self._times[before]) / steps).astype(np.float32)[:, None, None]
        rows, columns = region
        first, second = (
            self._thumbnails[places % _THUMBNAILS, rows, columns].astype(np.float32)
            for places in (before, before + 1)
        )
        return np.asarray(first + share * (second - first), np.float32)


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
    Footage().distances(blank, (slice(0, 1), slice(0, 1)))


def signature_of(thumbnail: Thumbnail) -> Signature:
    """Reduce (48, 64) uint8 to (12, 16): noise and rounding average out, movements hardly do."""
    size = (_COLUMNS, _ROWS)
    grey = thumbnail.astype(np.float32)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def in_signature(box: Box) -> Region:
    """The cells of a signature that show any of the box; at least one."""
    return _cells(box, _ROWS, _COLUMNS)


def in_thumbnail(box: Box) -> Region:
    """The cells of a thumbnail that show any of the box; at least one."""
    return _cells(box, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH)


def _cells(box: Box, rows: int, columns: int) -> Region:
    return (
        _between(box.y, box.y + box.height, rows),
        _between(box.x, box.x + box.width, columns),
    )


def _between(start: float, end: float, count: int) -> slice:
    first = min(max(math.floor(start * count), 0), count - 1)
    return slice(first, min(max(math.ceil(end * count), first + 1), count))
