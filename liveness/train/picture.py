"""Pictures from files to what the nets are fed, and the changes that training makes to them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.train.card import DEVIATION, MEAN, SIDE

Picture = NDArray[np.uint8]
"""(height, width, 3) uint8, RGB."""

# How far training changes a picture. Its traces of printing and of screens are what counts, so
# nothing here is strong enough to wipe them out of most pictures.
LEAST_CROP = 0.8  # of each side that is kept
BRIGHTNESS = 0.25  # added, of the whole range
CONTRAST = 0.25  # multiplied, to both sides of 1
COLOUR = 0.12  # gain of each channel, to both sides of 1
SATURATION = 0.3  # to both sides of 1
MOST_BLUR = 1.2  # sigma, pixels at `SIDE`
JPEG_QUALITY = (40, 95)
SELDOM = 0.25  # share of pictures that are blurred
OFTEN = 0.5  # share that is flipped, and that is compressed

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def decode(data: bytes) -> Picture | None:
    """Decode a picture with its orientation; None if it cannot be read."""
    if not data:
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # more pixels than OpenCV decodes
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def read(path: Path) -> Picture | None:
    """Read a picture; None if it cannot be read."""
    try:
        return decode(path.read_bytes())
    except OSError:
        return None


def fit(picture: Picture) -> Picture:
    """Resize to what the nets see, exactly as the server does (`liveness.vision.spoof`).

    Proportions are not kept: it squeezes every face alike.
    """
    return np.asarray(cv2.resize(picture, (SIDE, SIDE)), np.uint8)


def to_input(picture: Picture) -> NDArray[np.float32]:
    """(3, SIDE, SIDE) float32, as the card says."""
    planar = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
    return (planar - np.float32(MEAN)) / np.float32(DEVIATION)


def augment(picture: Picture, random: np.random.Generator) -> Picture:
    """Change a picture of any size as cameras and people would; returns it fitted."""
    picture = fit(_cropped(picture, random))
    if random.random() < OFTEN:
        picture = np.ascontiguousarray(picture[:, ::-1])
    picture = _recoloured(picture, random)
    if random.random() < SELDOM:
        sigma = random.uniform(0.3, MOST_BLUR)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    if random.random() < OFTEN:
        picture = _compressed(picture, int(random.integers(*JPEG_QUALITY)))
    return picture


def _cropped(picture: Picture, random: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    share = random.uniform(LEAST_CROP, 1.0, size=2)
    rows, columns = (max(1, round(side)) for side in share * (height, width))
    top = int(random.integers(0, height - rows + 1))
    left = int(random.integers(0, width - columns + 1))
    return picture[top : top + rows, left : left + columns]


def _recoloured(picture: Picture, random: np.random.Generator) -> Picture:
    values = picture.astype(np.float32)
    grey = (values @ _GREY)[..., None]
    saturation = random.uniform(1 - SATURATION, 1 + SATURATION)
    gains = random.uniform(1 - COLOUR, 1 + COLOUR, size=3)
    gains *= random.uniform(1 - CONTRAST, 1 + CONTRAST)
    shift = 255 * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    coloured = grey + np.float32(saturation) * (values - grey)
    lit = (coloured - np.float32(MEAN)) * gains.astype(np.float32) + np.float32(MEAN + shift)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _compressed(picture: Picture, quality: int) -> Picture:
    # The encoder takes BGR; swapped channels would only swap which colours lose more.
    bgr = np.ascontiguousarray(picture[..., ::-1])
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
