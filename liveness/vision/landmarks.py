"""Dlib's 68 landmarks, read from an upright and equally large cut-out of every face."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import dlib
import numpy as np
from cv2.typing import MatLike

from liveness.vision.frame import Luma
from liveness.vision.observation import Landmarks

# Side, in pixels, of the face box inside the cut-out. dlib rounds landmarks to whole pixels: at
# this size a pixel is a thirtieth of an eye's width whatever the camera's resolution.
_FACE_SIDE = 200
# Skin and background that the regression trees look at beyond the face box, in face sides.
_MARGIN = 0.35
_CUT_SIDE = round(_FACE_SIDE * (1 + 2 * _MARGIN))
_CUT_FACE = dlib.rectangle(
    round(_FACE_SIDE * _MARGIN),
    round(_FACE_SIDE * _MARGIN),
    round(_FACE_SIDE * (1 + _MARGIN)) - 1,
    round(_FACE_SIDE * (1 + _MARGIN)) - 1,
)

# Grey values: the standard deviation of well-lit faces with their surroundings, the middle, and how
# far noise may be raised with the rest.
_CONTRAST = 40.0
_GREY = 128.0
_MOST_GAIN = 6.0


@dataclass(frozen=True, slots=True)
class Region:
    """Where a face is: a square around (`x`, `y`) of `side` pixels, tilted by `roll` degrees."""

    x: float
    y: float
    side: float
    roll: float = 0.0


class Landmarker:
    """The 68-point shape predictor of Kazemi and Sullivan (2014).

    One serves every session: dlib only reads it.
    """

    def __init__(self, weights: Path) -> None:
        """Load the weights; raises `RuntimeError` where dlib cannot read the file."""
        self._predictor = dlib.shape_predictor(str(weights))

    def find(self, luma: Luma, region: Region) -> Landmarks:
        """Place the points of the face in `region`: (68, 2) float32, pixels of the picture."""
        angle, scale = math.radians(region.roll), _FACE_SIDE / region.side
        cosine, sine = math.cos(angle), math.sin(angle)
        upright = np.array([[cosine, sine], [-sine, cosine]])
        centre = np.array([region.x, region.y])
        shift = _CUT_SIDE / 2 - scale * upright @ centre
        cut = cv2.warpAffine(
            luma.picture,
            np.column_stack([scale * upright, shift]),
            (_CUT_SIDE, _CUT_SIDE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        shape = self._predictor(_stretch(cut), _CUT_FACE)
        points = np.array([(point.x, point.y) for point in shape.parts()], np.float64)
        # Back again: the inverse of a rotation is its transpose, which from the right is itself.
        placed = (points - _CUT_SIDE / 2) @ (upright / scale) + centre
        return np.asarray(placed, np.float32)


def _stretch(cut: MatLike) -> MatLike:
    """Give a flat picture the contrast that the trees were trained on.

    They compare differences of grey values with fixed thresholds, and go astray on a dim or a
    backlit face.
    """
    mean, deviation = cv2.meanStdDev(cut)
    gain = min(_CONTRAST / max(float(deviation[0, 0]), 1.0), _MOST_GAIN)
    if gain <= 1.0:
        return cut
    return cv2.convertScaleAbs(cut, alpha=gain, beta=_GREY - gain * float(mean[0, 0]))
