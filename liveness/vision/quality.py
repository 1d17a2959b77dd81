"""How well a face can be seen: its size, light and focus."""

import cv2

from liveness.vision.frame import Luma
from liveness.vision.landmarks import Region
from liveness.vision.observation import Quality

# The face is looked at in this many pixels a side, so that sharpness means the same for a near
# and a far face: detail finer than a fiftieth of the face is codec and sensor, not focus.
_SIDE = 64
# A face that reaches less far into the picture, pixels, cannot be measured.
_LEAST_PIXELS = 2


def quality(luma: Luma, region: Region) -> Quality:
    """Measure the face in `region`.

    Sharpness is the standard deviation of the Laplacian of the face at 64x64 pixels over its
    contrast, so that a dim face is not called blurred.
    """
    half = region.side / 2
    height, width = luma.picture.shape
    left, top = max(0, int(region.x - half)), max(0, int(region.y - half))
    right, bottom = min(width, int(region.x + half)), min(height, int(region.y + half))
    if min(right - left, bottom - top) < _LEAST_PIXELS:
        return Quality(size(luma, region), brightness=0.0, contrast=0.0, sharpness=0.0)
    face = cv2.resize(
        luma.picture[top:bottom, left:right], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
    )
    mean, deviation = cv2.meanStdDev(face)
    contrast = float(deviation[0, 0])
    _, detail = cv2.meanStdDev(cv2.Laplacian(face, cv2.CV_16S))
    return Quality(
        size=size(luma, region),
        brightness=float(mean[0, 0]),
        contrast=contrast,
        sharpness=float(detail[0, 0]) / max(contrast, 1.0),
    )


def size(luma: Luma, region: Region) -> float:
    """Measure how large the face in `region` is: a share of the picture's shorter side."""
    return region.side / min(luma.width, luma.height)
