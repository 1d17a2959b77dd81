"""The trees of a dlib shape predictor, read from its file and laid out for `vision.predictor`.

The format is dlib's own serialisation: every number is a length in bytes (its highest bit is the
sign), then so many bytes, least significant first; a float is its mantissa and its exponent.
"""

from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from liveness.vision.compiled import compiled
from liveness.vision.observation import POINTS

_VERSION = 1
# Far above any predictor's: a file that claims more is no predictor, and is not worth the memory.
_MOST = 4096
_LARGEST = np.iinfo(np.int16).max


class Trees(NamedTuple):
    """C cascades of T trees, each with S splits above S + 1 leaves.

    `mean`: (136,) float32, the average shape in a face box of side 1: x, y of each point.
    `anchors`, `offsets`: (C, F) int16 and (C, F, 2) float32, where the F pixels are that a cascade
    looks at: the nearest point of the shape, and how far from it. `pairs`: (C, T, S, 2) int16, the
    pixels that a split compares. `thresholds`: (C, T, S) float32, grey values. `leaves`:
    (C, T, S + 1, 136) int16, by how much the shape moves in units of `units`: (C, T, S + 1)
    float32. Halves of dlib's floats: a frame walks through 2 MB of leaves that are in no cache.
    What that rounds off is a ten-thousandth of a pixel.
    """

    mean: NDArray[np.float32]
    anchors: NDArray[np.int16]
    offsets: NDArray[np.float32]
    pairs: NDArray[np.int16]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.int16]
    units: NDArray[np.float32]


def read_trees(path: Path) -> Trees:
    """Read a predictor of 68 points; raises `ValueError` for anything else, and `OSError`."""
    return _Reader(np.fromfile(path, np.uint8)).trees()


class _Reader:
    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._position = 0

    def trees(self) -> Trees:
        if self._integer() != _VERSION:
            _refuse("another version")
        mean = self._shapes(1)[0]
        cascades = [[self._tree() for _ in range(self._count())] for _ in range(self._count())]
        anchors = [self._integers(self._count()) for _ in range(self._count())]
        offsets = [self._floats(2 * self._count()) for _ in range(self._count())]
        if self._position != self._data.size:
            _refuse("something follows")
        pairs, thresholds, leaves, units = (
            _stack([[tree[part] for tree in cascade] for cascade in cascades]) for part in range(4)
        )
        trees = Trees(
            mean=mean,
            anchors=_stack(anchors).astype(np.int16),
            offsets=_stack(offsets).reshape(len(offsets), -1, 2),
            pairs=pairs,
            thresholds=thresholds,
            leaves=leaves,
            units=units,
        )
        _check(trees)
        return trees

    def _tree(self) -> tuple[NDArray[np.generic], ...]:
        """Read one: its pairs, thresholds, leaves and their units."""
        splits = self._integers(4 * self._count()).reshape(-1, 4)
        if not 0 <= splits[:, :2].min() <= splits[:, :2].max() < _MOST:
            _refuse("a split looks at no pixel")
        leaves = self._shapes(self._count())
        units = np.maximum(np.abs(leaves).max(axis=1), np.finfo(np.float32).tiny) / _LARGEST
        return (
            splits[:, :2].astype(np.int16),
            _floats(splits[:, 2:]),
            np.rint(leaves / units[:, None]).astype(np.int16),
            units,
        )

    def _shapes(self, count: int) -> NDArray[np.float32]:
        """Read (count, 136): matrices of one column, whose sizes dlib writes negative."""
        shapes = self._integers(count * (2 + 4 * POINTS)).reshape(count, -1)
        if not (shapes[:, :2] == (-2 * POINTS, -1)).all():
            _refuse(f"a shape is not of {POINTS} points")
        return _floats(shapes[:, 2:].reshape(-1, 2)).reshape(count, 2 * POINTS)

    def _floats(self, count: int) -> NDArray[np.float32]:
        return _floats(self._integers(2 * count).reshape(-1, 2))

    def _count(self) -> int:
        count = self._integer()
        if not 0 < count <= _MOST:
            _refuse("a size that cannot be")
        return count

    def _integer(self) -> int:
        return int(self._integers(1)[0])

    def _integers(self, count: int) -> NDArray[np.int64]:
        values = np.empty(count, np.int64)
        self._position = _unpack(self._data, self._position, values)
        if self._position < 0:
            _refuse("it ends too soon")
        return values


# Compiled: a file has 33 million numbers.
@compiled
def _unpack(data: NDArray[np.uint8], position: int, values: NDArray[np.int64]) -> int:
    """Fill `values`; returns the position behind them, or -1 where the data ends before."""
    for index in range(values.size):
        size = int(data[position]) & 15 if position < data.size else 16
        if size > 8 or position + size >= data.size:  # noqa: PLR2004 - bytes of 64 bits
            return -1
        value = np.int64(0)
        for byte in range(size):
            value |= np.int64(data[position + 1 + byte]) << (8 * byte)
        values[index] = -value if data[position] & 128 else value
        position += size + 1
    return position


def _floats(parts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Put (n, 2) mantissas and exponents together."""
    values = np.ldexp(parts[:, 0].astype(np.float64), parts[:, 1].clip(-1100, 1100))
    if not (np.abs(values) < np.finfo(np.float32).max).all():
        _refuse("a number that is none")
    return np.asarray(values, np.float32)


def _stack(parts: list) -> NDArray:  # type: ignore[type-arg]  # of any depth and type
    try:
        return np.array(parts)
    except ValueError:
        _refuse("its trees are not alike")


def _check(trees: Trees) -> None:
    """See that nothing points outside: the predictor does not look."""
    splits = trees.pairs.shape[2]
    pixels = trees.anchors.shape[1]
    sizes = {len(trees.anchors), len(trees.offsets), len(trees.pairs)}
    if len(sizes) != 1 or trees.offsets.shape[1] != pixels:
        _refuse("its cascades are not alike")
    if trees.leaves.shape[2] != splits + 1 or splits & (splits + 1):
        _refuse("its trees are not whole")
    if trees.pairs.max() >= pixels or not 0 <= trees.anchors.min() <= trees.anchors.max() < POINTS:
        _refuse("it looks at no pixel")


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"This is no shape predictor of {POINTS} points: {what}")
