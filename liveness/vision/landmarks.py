"""The 68 landmarks of a face, placed in the frame itself."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveness.vision.frame import Luma
from liveness.vision.observation import Landmarks
from liveness.vision.predictor import place
from liveness.vision.trees import read_trees

# Grey values: the standard deviation of well-lit faces, and how far noise may be raised with the
# rest of a dim one.
_CONTRAST = 44.0
_MOST_GAIN = 6.0


@dataclass(frozen=True, slots=True)
class Region:
    """Where a face is: a square around (`x`, `y`) of `side` pixels, tilted by `roll` degrees."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    def scaled(self, scale: float) -> "Region":
        """The same place in a picture that is `scale` times as large."""
        return Region(scale * self.x, scale * self.y, scale * self.side, self.roll)


class Landmarker:
    """The 68-point shape predictor of Kazemi and Sullivan (2014).

    One serves every session, in any thread: it is only read.
    """

    def __init__(self, weights: Path) -> None:
        """Load dlib's weights; raises `ValueError` where they are none, and `OSError`."""
        self._trees = read_trees(weights)

    def find(self, luma: Luma, region: Region) -> Landmarks:
        """Place the points of the face in `region`: (68, 2) float32, pixels of the picture."""
        angle = math.radians(region.roll)
        cosine, sine = region.side * math.cos(angle), region.side * math.sin(angle)
        left, top = region.x - (cosine - sine) / 2, region.y - (sine + cosine) / 2
        box = np.array([[cosine, -sine, left], [sine, cosine, top]])
        return place(luma.picture, box, self._trees, _CONTRAST, _MOST_GAIN)
