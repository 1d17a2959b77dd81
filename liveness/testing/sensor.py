"""What a camera adds to a scene: gain and noise."""

import cv2
import numpy as np

from liveness.testing.raster import Picture

NOISE = 1.5
"""Standard deviation, of 255: a webcam in a lit room."""
BANK_MARGIN = 64  # pixels by which the noise may be shifted in each direction


class Sensor:
    """A camera sensor: no two frames of it are alike.

    `size`: (width, height). `noise`: standard deviation, of 255. The noise comes from one bank,
    shifted at random for each frame: drawing it anew would cost more than rendering a face.
    """

    def __init__(
        self, size: tuple[int, int], noise: float = NOISE, *, seed: int | None = None
    ) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        shape = (size[1] + BANK_MARGIN, size[0] + BANK_MARGIN, 3)
        bank = self._random.standard_normal(shape, dtype=np.float32) * noise
        self._bank = np.clip(np.round(bank), -127, 127).astype(np.int8)

    def expose(self, scene: Picture, gain: float = 1.0) -> Picture:
        """Return a new frame: `scene` times `gain`, with noise; both (height, width, 3) BGR."""
        width, height = self._size
        x, y = self._random.integers(0, BANK_MARGIN, size=2)
        noise = self._bank[y : y + height, x : x + width]
        lit = cv2.convertScaleAbs(scene, alpha=gain) if gain != 1.0 else scene
        return np.asarray(cv2.add(lit, noise, dtype=cv2.CV_8U), dtype=np.uint8)
