"""The whole picture, much reduced: by it a repeated video is recognised."""

import cv2
import numpy as np

from liveness.vision.frame import Luma
from liveness.vision.observation import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Thumbnail


def thumbnail(luma: Luma) -> Thumbnail:
    """Reduce the picture to (48, 64) uint8 means.

    Every second line is enough, and takes 30 microseconds of a 640x480 picture instead of 70.
    """
    size = (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT)
    return np.asarray(cv2.resize(luma.picture[::2], size, interpolation=cv2.INTER_AREA), np.uint8)
