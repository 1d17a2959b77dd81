"""Kazemi and Sullivan's (2014) ensemble of regression trees, which places 68 points on a face.

The trees are dlib's, and so are the points, to the rounding; the code is not. dlib's own needs
the face cut out of the frame first, holds Python's lock, takes rounded points, and is slow where
other work empties the caches: FIGURES. Compiled with numba, because nothing of
this can be put into a few calls of numpy.
"""

import math

import numpy as np
from numpy.typing import NDArray

from liveness.vision.compiled import compiled, prefetch

# Elements of a leaf, two bytes each, that come from memory at a time.
_LINE = 32


@compiled
def place(  # noqa: PLR0913, PLR0917 - compiled: arrays, not objects
    picture: NDArray[np.uint8],
    box: NDArray[np.float64],
    contrast: float,
    most_gain: float,
    mean: NDArray[np.float32],
    anchors: NDArray[np.int16],
    offsets: NDArray[np.float32],
    pairs: NDArray[np.int16],
    thresholds: NDArray[np.float32],
    leaves: NDArray[np.int16],
    units: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Fit the shape to a face in `picture`: (height, width).

    `box`: (2, 3), takes a point of the face box, 0..1, to a pixel. The trees compare grey values
    with fixed thresholds, and go astray on a dim or a backlit face: differences are enlarged, at
    most `most_gain` times, until the pixels of the first cascade have a standard deviation of
    `contrast`. See `Trees` for the rest. Returns (136,), x and y of each point in the box.
    """
    shape = mean.copy()
    pixels = np.empty(anchors.shape[1], np.float32)
    moves = np.empty(pairs.shape[1], np.int64)
    gain = np.float32(1)
    for cascade in range(pairs.shape[0]):
        _look(picture, box, mean, shape, anchors[cascade], offsets[cascade], pixels)
        if cascade == 0:
            deviation = max(pixels.std(), 1e-3)
            gain = np.float32(min(max(contrast / deviation, 1.0), most_gain))
        for tree in range(pairs.shape[1]):
            move = _leaf(pixels, gain, pairs[cascade, tree], thresholds[cascade, tree])
            moves[tree] = move
            prefetch(units, (cascade, tree, move))
            for index in range(0, shape.size, _LINE):
                prefetch(leaves, (cascade, tree, move, index))
        # In a loop of its own: by now the leaves have come from memory.
        for tree in range(pairs.shape[1]):
            unit = units[cascade, tree, moves[tree]]
            leaf = leaves[cascade, tree, moves[tree]]
            for index in range(shape.size):
                shape[index] += unit * leaf[index]
    return shape


@compiled
def _leaf(
    pixels: NDArray[np.float32],
    gain: np.float32,
    pairs: NDArray[np.int16],
    thresholds: NDArray[np.float32],
) -> int:
    """Walk down one tree, without a branch that the processor would have to guess."""
    splits = thresholds.size
    node = 0
    while node < splits:
        difference = pixels[pairs[node, 0]] - pixels[pairs[node, 1]]
        node = 2 * node + 2 - int(gain * difference > thresholds[node])
    return node - splits


@compiled
def _look(
    picture: NDArray[np.uint8],
    box: NDArray[np.float64],
    mean: NDArray[np.float32],
    shape: NDArray[np.float32],
    anchors: NDArray[np.int16],
    offsets: NDArray[np.float32],
    pixels: NDArray[np.float32],
) -> None:
    """Read the pixels that lie about the shape as `offsets` lie about the average one."""
    cosine, sine = _similarity(mean, shape)
    for index in range(anchors.size):
        x, y = offsets[index]
        anchor = 2 * anchors[index]
        u = cosine * x - sine * y + shape[anchor]
        v = sine * x + cosine * y + shape[anchor + 1]
        pixels[index] = _grey(
            picture,
            box[0, 0] * u + box[0, 1] * v + box[0, 2],
            box[1, 0] * u + box[1, 1] * v + box[1, 2],
        )


@compiled
def _similarity(mean: NDArray[np.float32], shape: NDArray[np.float32]) -> tuple[float, float]:
    """Find the rotation with scale that takes the average shape nearest to this one."""
    x, y = mean[0::2] - mean[0::2].mean(), mean[1::2] - mean[1::2].mean()
    u, v = shape[0::2], shape[1::2]
    size = (x * x + y * y).sum()
    return (x * u + y * v).sum() / size, (x * v - y * u).sum() / size


@compiled
def _grey(picture: NDArray[np.uint8], x: float, y: float) -> float:
    """Interpolate between the four pixels about a place; beyond the picture its edge goes on."""
    height, width = picture.shape
    x = min(max(x, 0.0), width - 1.001)
    y = min(max(y, 0.0), height - 1.001)
    column, row = math.floor(x), math.floor(y)
    right, below = x - column, y - row
    upper = picture[row, column] * (1 - right) + picture[row, column + 1] * right
    lower = picture[row + 1, column] * (1 - right) + picture[row + 1, column + 1] * right
    return float(upper * (1 - below) + lower * below)
