"""Depth of a turned face: the nose of a head leaves the plane of eyes, brows and mouth."""

import numpy as np
from numpy.typing import NDArray

from liveness.vision.observation import Landmarks

# Points near one plane: brows, eyes and corners of the mouth, which are still in speech.
_PLANE = np.array([*range(17, 27), *range(36, 48), 48, 54])
# The lower bridge and the tip of the nose, which stick out furthest.
_NOSE = np.array([29, 30, 33])
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


def nose_shift(front: Landmarks, turned: Landmarks) -> float:
    """How far the nose moves off the plane between two views of a face.

    `front`, `turned`: (68, 2). In inter-ocular distances of the frontal view, positive to the
    picture's right. Any view of a flat picture is an affine map of any other, nearly: it gives 0.
    """
    plane = np.column_stack([turned[_PLANE], np.ones(_PLANE.size)]).astype(np.float64)
    back, *_ = np.linalg.lstsq(plane, front[_PLANE].astype(np.float64), rcond=None)
    nose = np.column_stack([turned[_NOSE], np.ones(_NOSE.size)]) @ back
    across = _across(front)
    moved = (nose - front[_NOSE]).mean(axis=0)
    return float(moved @ across / (across @ across))


def _across(points: Landmarks) -> NDArray[np.float64]:
    """From the middle of the right eye to that of the left one, pixels."""
    eyes = points[_LEFT_EYE].mean(axis=0) - points[_RIGHT_EYE].mean(axis=0)
    return np.asarray(eyes, np.float64)
