"""How far each eye is open: the eye aspect ratio of Soukupova and Cech (2016)."""

import math

from liveness.vision.observation import Eyes, Landmarks

_RIGHT = slice(36, 42)
_LEFT = slice(42, 48)


def eyes(points: Landmarks) -> Eyes:
    """Measure both eyes from (68, 2) landmarks."""
    return Eyes(right=_aspect_ratio(points[_RIGHT]), left=_aspect_ratio(points[_LEFT]))


def _aspect_ratio(points: Landmarks) -> float:
    """Mean height over width of the six points of one eye: corner, two above, corner, two below."""
    eye = points.tolist()
    heights = math.dist(eye[1], eye[5]) + math.dist(eye[2], eye[4])
    return heights / (2 * max(math.dist(eye[0], eye[3]), 1e-6))
