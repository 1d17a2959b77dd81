"""A printed picture held before a camera: flat or bent, turned in space."""

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.testing.raster import Picture, warp_into

COLUMNS, ROWS = 17, 7  # of the mesh: enough for a bent sheet to look round
DISTANCE = 2.0  # from lens to sheet, in widths of the picture
BORDER = 0.03  # white edge of the print, of its width


def room(size: tuple[int, int]) -> Picture:
    """Draw an empty room: a lit wall, a door and a floor; `size` (width, height)."""
    width, height = size
    light = np.linspace(1.0, 0.75, width, dtype=np.float32)[None, :, None]
    wall = np.array([168, 178, 184], dtype=np.float32) * light
    scene = np.repeat(wall, height, axis=0).astype(np.uint8)
    cv2.rectangle(scene, (0, int(0.86 * height)), (width, height), (74, 96, 122), -1)
    left, right = int(0.72 * width), int(0.93 * width)
    cv2.rectangle(
        scene, (left, int(0.12 * height)), (right, int(0.86 * height)), (120, 140, 150), -1
    )
    cv2.circle(scene, (left + width // 40, height // 2), width // 90, (60, 60, 66), -1)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), width / 400), dtype=np.uint8)


class Sheet:
    """A print of a picture in a room.

    `bend`: angle in degrees that the print covers on a vertical cylinder; 0 is flat, positive has
    its middle nearest to the camera. `zoom`: the print's size over the frame's.
    """

    def __init__(self, picture: Picture, *, bend: float = 0.0, zoom: float = 1.1) -> None:
        height, width = picture.shape[:2]
        edge = round(BORDER * width)
        white = (244, 246, 246)
        framed = cv2.copyMakeBorder(
            picture, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=white
        )
        self._print = np.asarray(framed, dtype=np.uint8)
        self._room = room((width, height))
        across, down = np.meshgrid(
            np.linspace(0, width + 2 * edge - 1, COLUMNS),
            np.linspace(0, height + 2 * edge - 1, ROWS),
        )
        self._texture = np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float32)
        centred = (self._texture - self._texture.max(axis=0) / 2) * zoom
        self._points = _bent(centred, np.radians(bend))
        self._triangles = _grid_triangles()
        self._centre = np.array([width / 2, height / 2], dtype=np.float32)
        self._distance = DISTANCE * width

    def show(self, yaw: float, pitch: float, roll: float = 0.0) -> Picture:
        """Draw the print turned by degrees, signs as for a face; (height, width, 3) uint8 BGR."""
        # OpenCV's axes: x right, y down, z away; rotation by the right hand about each.
        rotation = np.eye(3)
        for angle, axis in ((pitch, (1, 0, 0)), (-yaw, (0, 1, 0)), (roll, (0, 0, 1))):
            turn, _ = cv2.Rodrigues(np.radians(angle) * np.array(axis, dtype=np.float64))
            rotation = turn @ rotation
        points = self._points @ rotation.T
        distance = (self._distance + points[:, 2]).astype(np.float32)
        flat = points[:, :2] * (self._distance / distance)[:, None] + self._centre
        scene = self._room.copy()
        mesh = (self._texture, flat.astype(np.float32), distance)
        warp_into(scene, self._print, mesh, self._triangles)
        return scene


def _bent(flat: NDArray[np.float32], bend: float) -> NDArray[np.float64]:
    """(n, 3): points (n, 2) of a flat sheet, rolled around a vertical cylinder."""
    if bend == 0:
        return np.column_stack([flat, np.zeros(len(flat))])
    radius = (flat[:, 0].max() - flat[:, 0].min()) / bend
    angle = flat[:, 0] / radius
    return np.column_stack([radius * np.sin(angle), flat[:, 1], radius * (1 - np.cos(angle))])


def _grid_triangles() -> NDArray[np.int32]:
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).ravel()
    upper = np.stack([corner, corner + 1, corner + COLUMNS], axis=1)
    lower = np.stack([corner + 1, corner + COLUMNS + 1, corner + COLUMNS], axis=1)
    return np.vstack([upper, lower]).astype(np.int32)
