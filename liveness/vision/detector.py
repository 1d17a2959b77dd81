"""Dlib's frontal face detector (HOG and a linear SVM), on reduced pictures."""

import threading
from dataclasses import dataclass

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from liveness.vision.frame import Luma
from liveness.vision.landmarks import Region

LEAST_FACE = 80
"""Pixels of the window that the detector slides: no smaller face is ever found."""

# In a cut-out around a known face, the face is made this large: room for one that has shrunk, and
# a sixth of the time that a search of the whole picture takes.
_FOLLOWED_SIDE = 86
# How far around a known face it is looked for, in face sides. With .2 all of 726 faces of 14 clips
# were found, turned by up to 40 degrees, with .15 one in 40 of those turned most was not; .3 takes
# half as long again.
_AROUND = 0.2


@dataclass(frozen=True, slots=True)
class Detection:
    """A face box, and how far it lies on the right side of the SVM's plane."""

    region: Region
    score: float


class _Local(threading.local):
    """The detector keeps its pyramid inside itself: one for each thread."""

    def __init__(self) -> None:
        self.detector = dlib.get_frontal_face_detector()


_LOCAL = _Local()


def detect(luma: Luma, longest_side: int, least_score: float = 0.0) -> list[Detection]:
    """Find faces in the whole picture, reduced to at most `longest_side` pixels.

    Faces narrower than 80 pixels of the reduced picture are not found. Largest first.
    """
    picture = luma.picture
    reduction = min(1.0, longest_side / max(picture.shape))
    found = [_enlarge(each, 1 / reduction) for each in _run(picture, reduction, least_score)]
    return sorted(found, key=lambda each: each.region.side, reverse=True)


def detect_around(luma: Luma, region: Region, least_score: float = 0.0) -> Detection | None:
    """Look for one face at about the place and size of `region`."""
    reach = region.side * (0.5 + _AROUND)
    left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
    right, bottom = int(region.x + reach), int(region.y + reach)
    cut = luma.picture[top:bottom, left:right]
    if min(cut.shape) < region.side / 2:
        return None
    reduction = _FOLLOWED_SIDE / region.side
    found = _run(cut, reduction, least_score)
    if not found:
        return None
    best = _enlarge(max(found, key=lambda each: each.score), 1 / reduction)
    moved = Region(best.region.x + left, best.region.y + top, best.region.side)
    return Detection(moved, best.score)


def _reduce(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Scale a picture into contiguous memory."""
    if factor == 1.0:
        return np.ascontiguousarray(picture)
    # Interpolation passes over nothing down to a half, and takes a fifth of the time of means.
    method = cv2.INTER_AREA if factor <= 0.5 else cv2.INTER_LINEAR  # noqa: PLR2004
    return np.asarray(
        cv2.resize(picture, None, fx=factor, fy=factor, interpolation=method), np.uint8
    )


def _run(picture: NDArray[np.uint8], reduction: float, least_score: float) -> list[Detection]:
    """Find faces in a reduced picture, which may be too narrow for any."""
    if min(picture.shape) * reduction < LEAST_FACE:
        return []
    boxes, scores, _ = _LOCAL.detector.run(_reduce(picture, reduction), 0, least_score)
    return [
        Detection(
            Region(
                (box.left() + box.right()) / 2,
                (box.top() + box.bottom()) / 2,
                float(box.width()),
            ),
            float(score),
        )
        for box, score in zip(boxes, scores, strict=True)
    ]


def _enlarge(found: Detection, factor: float) -> Detection:
    region = found.region
    return Detection(
        Region(region.x * factor, region.y * factor, region.side * factor), found.score
    )
