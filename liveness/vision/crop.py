"""Cut-outs of faces in colour: what classifiers of live faces are shown."""

from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.vision.observation import Landmarks

Colours = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""

FOREHEAD = 0.3
"""How far a face goes on above its brows, in heights from brows to chin: the published crops are
multiples of the boxes of detectors that draw them around the forehead."""

GROWTH = 1.2
"""And around ears and hair: how much larger such a box is than one through the landmarks. Measured
where a cut-out is not limited by the picture anyway: at 1.0 four real faces of a fifth of the
picture's height score .76 and more and replays on a screen up to .49; at 1.15 to 1.3 .78 and more,
and .12 on telephones."""

_JPEG_RANGE = 2  # libavutil's AVCOL_RANGE_JPEG: luma 0..255 instead of 16..235


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face from forehead to chin and from ear to ear: pixels of the picture."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def around(cls, points: Landmarks) -> "FaceBox":
        """Draw the box around (68, 2) landmarks."""
        left, brows = points.min(axis=0).tolist()
        right, chin = points.max(axis=0).tolist()
        top = brows - FOREHEAD * (chin - brows)
        width, height = max(right - left, 1.0) * GROWTH, max(chin - top, 1.0) * GROWTH
        return cls((left + right - width) / 2, (top + chin - height) / 2, width, height)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Whole pixels; `right` and `bottom` are the first that lie outside."""

    left: int
    top: int
    right: int
    bottom: int


def cut_out(box: FaceBox, scale: float, width: int, height: int) -> Rectangle:
    """Enlarge `box` to `scale` times its size, and keep it inside a picture of `width` x `height`.

    The rules of the published crop (Silent-Face-Anti-Spoofing, `generate_patches`): a cut-out that
    does not fit is made smaller with its proportions kept, and one that leaves the picture at one
    side is moved back in.
    """
    scale = min(scale, (width - 1) / box.width, (height - 1) / box.height)
    across, down = box.width * scale, box.height * scale
    left = _inside(box.x + (box.width - across) / 2, across, width - 1)
    top = _inside(box.y + (box.height - down) / 2, down, height - 1)
    return Rectangle(int(left), int(top), int(left + across) + 1, int(top + down) + 1)


def _inside(start: float, length: float, end: float) -> float:
    return max(0.0, min(start, end - length))


def colours(frame: av.VideoFrame, part: Rectangle) -> Colours:
    """Convert a part of a decoded frame to BGR; the rest of it is not touched.

    Only formats other than yuv420p and bgr24, which peers do not send, are converted whole.
    """
    if frame.format.name == "yuv420p" and frame.color_range != _JPEG_RANGE:
        return _from_planes(frame, part)
    picture = frame.to_ndarray(format="bgr24")
    return np.asarray(picture[part.top : part.bottom, part.left : part.right], np.uint8)


def _from_planes(frame: av.VideoFrame, part: Rectangle) -> Colours:
    """Each colour sample covers two by two pixels: convert from an even pixel to an even one."""
    left, top = part.left // 2, part.top // 2
    right, bottom = -(-part.right // 2), -(-part.bottom // 2)
    luma, *chroma = (_plane(frame, index) for index in range(3))
    rows, columns = bottom - top, right - left
    planar = np.empty((3 * rows, 2 * columns), np.uint8)
    bright = luma[2 * top : 2 * bottom, 2 * left : 2 * right]
    planar[: bright.shape[0], : bright.shape[1]] = bright
    # OpenCV's layout: all of the one colour plane in a row, then all of the other.
    for colour, place in zip(chroma, np.split(planar[2 * rows :].reshape(-1), 2), strict=True):
        place.reshape(rows, columns)[:] = colour[top:bottom, left:right]
    picture = cv2.cvtColor(planar, cv2.COLOR_YUV2BGR_I420)
    inner = picture[
        part.top - 2 * top : part.bottom - 2 * top, part.left - 2 * left : part.right - 2 * left
    ]
    return np.asarray(inner, np.uint8)


def _plane(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    lines = np.frombuffer(memoryview(plane), np.uint8, count=plane.line_size * plane.height)
    return lines.reshape(plane.height, plane.line_size)[:, : plane.width]
