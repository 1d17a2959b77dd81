"""A telephone or tablet that plays a video, held before a camera."""

import math
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.testing.raster import Picture
from liveness.testing.sheet import room

BODY = (26, 24, 22)  # BGR of the bezel
GLOW = 1.12  # a screen is brighter than the room it is filmed in
BLACK = 14.0  # grey value that a screen's black has: its backlight, and the room in the glass
BLUE = (1.06, 1.0, 0.95)  # gain of B, G, R: backlights are colder than rooms
PIXELS = 2.6  # camera pixels between two rows of the screen: they beat with the camera's own
ROW_DEPTH = 0.10  # how much darker it is between two rows
BAND_DEPTH = 0.05  # of the bands that roll over a filmed screen
BAND_RATE = 3.1  # radians a second
REFLECTION = 34.0  # grey values that a window in the glass adds
TILT = 0.035  # by how much one edge may be longer than the other, in edge lengths
SWAY = 0.006  # of the picture's width: nobody holds a thing quite still


@dataclass(frozen=True, slots=True)
class Device:
    """A device seen from the front; shares of the picture's height.

    `height`, `width`: of the lit screen. `bezel`: at its sides. `brow`: above and below it.
    """

    height: float
    width: float
    bezel: float
    brow: float


PHONE = Device(height=0.80, width=0.62, bezel=0.025, brow=0.06)
TABLET = Device(height=0.74, width=0.99, bezel=0.05, brow=0.05)


class Screen:
    """Shows pictures of `size` (width, height) on a device in a room, as a camera sees it."""

    def __init__(self, size: tuple[int, int], device: Device, *, seed: int = 0) -> None:
        self._size = size
        height = size[1]
        self._room = room(size)
        self._lit = round(device.width * height), round(device.height * height)
        side, brow = round(device.bezel * height), round(device.brow * height)
        self._edges = brow, brow, side, side
        self._lines, self._gleam = _rows(*self._lit), _window(*self._lit)
        random = Random(seed)  # noqa: S311 - movements, no secrets
        self._phases = [random.uniform(0, 2 * math.pi) for _ in range(6)]

    def show(self, picture: Picture, time: float) -> Picture:
        """Draw the device while it shows `picture`, at `time` in seconds."""
        body = cv2.copyMakeBorder(
            self._glow(picture, time), *self._edges, cv2.BORDER_CONSTANT, value=BODY
        )
        held = cv2.warpPerspective(
            body,
            self._hold(body.shape[1], body.shape[0], time),
            self._size,
            dst=self._room.copy(),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
        return np.asarray(held, np.uint8)

    def _glow(self, picture: Picture, time: float) -> Picture:
        """The lit screen: the middle of the picture, with rows, rolling bands, and a window."""
        width, height = self._lit
        rows, columns = picture.shape[:2]
        across = min(columns, round(rows * width / height))
        start = (columns - across) // 2
        middle = picture[:, start : start + across]
        shown = cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA)
        y = np.arange(height, dtype=np.float32)[:, None]
        bands = 1 - BAND_DEPTH * (
            0.5 + 0.5 * np.sin(2 * np.pi * y / height * 1.5 - BAND_RATE * time)
        )
        lit = cv2.multiply(
            shown, self._lines * bands[..., None].astype(np.float32), dtype=cv2.CV_32F
        )
        return np.asarray(cv2.add(lit, self._gleam, dtype=cv2.CV_8U), np.uint8)

    def _hold(self, width: int, height: int, time: float) -> NDArray[np.float64]:
        """(3, 3) homography: a hand that tilts and moves a little."""
        swing = [
            math.sin((0.6 + 0.23 * index) * time + each) for index, each in enumerate(self._phases)
        ]
        turn, nod = TILT * swing[0] * height / 2, TILT * swing[1] * width / 2
        left = (self._size[0] - width) / 2 + SWAY * self._size[0] * swing[2]
        top = (self._size[1] - height) / 2 + SWAY * self._size[0] * swing[3]
        right, bottom = left + width, top + height
        flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        seen = np.array(
            [
                (left + nod, top + turn),
                (right - nod, top - turn),
                (right + nod, bottom + turn),
                (left - nod, bottom - turn),
            ],
            np.float32,
        )
        return np.asarray(cv2.getPerspectiveTransform(flat, seen), np.float64)


def _rows(width: int, height: int) -> NDArray[np.float32]:
    """(height, width, 3) gain: the screen's rows, its brightness and its colour."""
    y = np.arange(height, dtype=np.float32)[:, None, None]
    rows = 1 - ROW_DEPTH * (0.5 + 0.5 * np.sin(2 * np.pi * y / PIXELS))
    gain = GLOW * rows * np.array(BLUE, np.float32)
    return np.asarray(np.broadcast_to(gain, (height, width, 3)), np.float32).copy()


def _window(width: int, height: int) -> NDArray[np.float32]:
    """(height, width, 3) grey values: a window reflected in the glass, and the backlight."""
    light = np.zeros((height, width), np.float32)
    corners = np.array([(0.58, 0.0), (0.86, 0.0), (0.62, 0.42), (0.34, 0.42)]) * (width, height)
    cv2.fillConvexPoly(light, corners.astype(np.int32), REFLECTION)
    soft = cv2.GaussianBlur(light, (0, 0), max(width, height) / 60) + BLACK
    return np.asarray(np.repeat(soft[..., None], 3, axis=2), np.float32)
