"""A head in space: a 468-point face mesh, with skull and neck added around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Floats = NDArray[np.float32]

FACE_POINTS = 468
"""Points of the MediaPipe face mesh, whose numbering is used here."""

# Contour of the face from the forehead's top, clockwise in the picture.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
MOUTH_CORNERS = (61, 291)  # own right, own left
CHEEKS = (234, 454)  # the widest points of the face: own right, own left
# Pairs (own right, own left) that lie level and symmetric in a straight face.
PAIRS = ((234, 454), (33, 263), (133, 362), (61, 291), (172, 397))

# Rings around the face's contour: (radius over the contour's, depth behind it in face widths).
# They follow a skull: steep at first, then level with the ears.
RINGS = ((1.10, 0.14), (1.20, 0.30), (1.32, 0.46), (1.46, 0.58), (1.64, 0.66))
LOOSE_RADIUS = (1.40, 1.75)  # the hair's outer part follows the head less and less between these
NECK_LENGTH = 0.55  # face widths below the chin at which the neck stands still
CROWN_LIFT = 0.48  # the skull rises above the forehead more than a ring around the face does
SMILE = 0.05  # face widths by which a corner of the mouth goes outwards and up
CHEEK_RADIUS = 0.12  # face widths about it that go along
GRID = (17, 13)  # points over the picture that never move
FOCAL_LENGTH = 5.1  # in face widths: a head 70 cm away from the lens


@dataclass(frozen=True, slots=True)
class Look:
    """What a head does in one frame, relative to how it was photographed.

    `yaw`, `pitch`, `roll`: degrees, signs as in `liveness.vision.observation.Pose`; roll turns in
    the picture's plane, after yaw, after pitch. `blink_right`, `blink_left`: closure of the
    person's own eyes, 0 as photographed to 1 shut. `x`, `y`: the head's shift in pixels. `smile`:
    1 smiles broadly, -1 has the corners of the mouth down, 0 is as photographed.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink_right: float = 0.0
    blink_left: float = 0.0
    x: float = 0.0
    y: float = 0.0
    smile: float = 0.0


@dataclass(frozen=True, slots=True)
class Lids:
    """The mesh points around one eye, from its outer to its inner corner."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]
    brow: tuple[int, ...]
    pouch: tuple[int, ...]


RIGHT_LIDS = Lids(
    upper=(246, 161, 160, 159, 158, 157, 173),
    lower=(7, 163, 144, 145, 153, 154, 155),
    crease=(247, 30, 29, 27, 28, 56, 190),
    brow=(113, 225, 224, 223, 222, 221, 189),
    pouch=(25, 110, 24, 23, 22, 26, 112),
)
LEFT_LIDS = Lids(
    upper=(466, 388, 387, 386, 385, 384, 398),
    lower=(249, 390, 373, 374, 380, 381, 382),
    crease=(467, 260, 259, 257, 258, 286, 414),
    brow=(342, 445, 444, 443, 442, 441, 413),
    pouch=(255, 339, 254, 253, 252, 256, 341),
)


def smoothstep(value: Floats, start: float, end: float) -> Floats:
    """0 below `start`, 1 above `end`, smooth between (Hermite)."""
    share = np.clip((value - start) / (end - start), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), dtype=np.float32)


class Head:
    """The mesh of a head and of the picture around it.

    `face`: (>= 468, 3) mesh in pixels of the picture: x right, y down, z away from the camera.
    `window`: (x, y, width, height), the part of the picture that the camera sees.
    """

    def __init__(self, face: Floats, window: tuple[float, float, float, float]) -> None:
        face = face[:FACE_POINTS].astype(np.float32)
        contour = face[list(OVAL)]
        self.width = self.width_of(face)
        self.centre = contour.mean(axis=0)
        left, top, width, height = window
        self._optical_centre = np.array([left + width / 2, top + height / 2], dtype=np.float32)
        self._focal_length = FOCAL_LENGTH * self.width
        # A head turns about the neck's top: below the face's centre, behind its contour.
        self._pivot = self.centre + self.width * np.array([0, 0.25, 0], dtype=np.float32)
        self._pivot[2] = contour[:, 2].max() + 0.15 * self.width

        rings, radii = self._skull(contour)
        still = self._surroundings(rings[-len(OVAL) :], window)
        still_depth = np.full((len(still), 1), rings[:, 2].max(), dtype=np.float32)
        self.points: Floats = np.vstack([face, rings, np.hstack([still, still_depth])])
        self.weights: Floats = np.concatenate(
            [
                np.ones(len(face), dtype=np.float32),
                self._follow(rings, radii, contour),
                np.zeros(len(still), dtype=np.float32),
            ],
        )
        self.triangles: NDArray[np.int32] = Delaunay(self.points[:, :2]).simplices.astype(np.int32)
        self._moving = np.flatnonzero(self.weights > 0)

    @staticmethod
    def width_of(face: Floats) -> float:
        """Width of a face mesh from ear to ear, in its own unit."""
        return float(np.linalg.norm(face[CHEEKS[1]] - face[CHEEKS[0]]))

    @property
    def moving_triangles(self) -> NDArray[np.int32]:
        """(m, 3): the triangles that a turn of the head can change."""
        return self.triangles[(self.weights[self.triangles] > 0).any(axis=1)]

    @property
    def rest_yaw(self) -> float:
        """Yaw in degrees at which the head was photographed, from the mesh's own symmetry."""
        pairs = self.points[np.array(PAIRS)]
        right_to_left = (pairs[:, 1] - pairs[:, 0]).sum(axis=0)
        return float(np.degrees(np.arctan2(right_to_left[2], right_to_left[0])))

    def _skull(self, contour: Floats) -> tuple[Floats, Floats]:
        rings = []
        lift = np.clip((self.centre[1] - contour[:, 1]) / self.width, 0, 1)
        for radius, depth in RINGS:
            ring = self.centre + radius * (contour - self.centre)
            ring[:, 1] -= CROWN_LIFT * self.width * (radius - 1) * lift
            ring[:, 2] = contour[:, 2] + depth * self.width
            rings.append(ring)
        radii = np.repeat([radius for radius, _ in RINGS], len(contour)).astype(np.float32)
        return np.vstack(rings).astype(np.float32), radii

    def _follow(self, rings: Floats, radii: Floats, contour: Floats) -> Floats:
        """How far each skull point follows a turn: 1 near the face, 0 at the neck's foot."""
        below_chin = (rings[:, 1] - contour[:, 1].max()) / self.width
        loose = smoothstep(radii, *LOOSE_RADIUS)
        return np.asarray(
            (1 - loose) * (1 - smoothstep(below_chin, -0.35, NECK_LENGTH)), dtype=np.float32
        )

    def _surroundings(
        self, outer_ring: Floats, window: tuple[float, float, float, float]
    ) -> Floats:
        """(n, 2): a grid over the window and beyond, without the part that the head covers."""
        left, top, width, height = window
        margin = 0.1 * width
        across, down = np.meshgrid(
            np.linspace(left - margin, left + width + margin, GRID[0]),
            np.linspace(top - margin, top + height + margin, GRID[1]),
        )
        grid = np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float32)
        offset = grid - self.centre[:2]
        ring = outer_ring[:, :2] - self.centre[:2]
        order = np.argsort(np.arctan2(ring[:, 1], ring[:, 0]))
        angles, reach = np.arctan2(ring[:, 1], ring[:, 0])[order], np.hypot(*ring[order].T)
        limit = np.interp(np.arctan2(offset[:, 1], offset[:, 0]), angles, reach, period=2 * np.pi)
        outside: NDArray[np.bool_] = np.hypot(*offset.T) > limit + 0.06 * self.width
        return grid[outside]

    def pose(self, look: Look) -> tuple[Floats, Floats]:
        """Where the mesh lies in the picture: (n, 2) pixels, and (n,) distances from the lens."""
        points = self.points.copy()
        _shut(points, RIGHT_LIDS, look.blink_right)
        _shut(points, LEFT_LIDS, look.blink_left)
        _smile(points[:FACE_POINTS], self.width, look.smile)
        rest_distance = self._focal_length + self.points[:, 2]
        moving, weights = self._moving, self.weights[self._moving]
        arms = points[moving] - self._pivot
        turned = np.einsum("nij,nj->ni", _rotations(look, weights), arms) + self._pivot
        turned[:, :2] += weights[:, None] * np.array([look.x, look.y], dtype=np.float32)
        points[moving] = turned
        distance = self._focal_length + points[:, 2]
        # The photograph shows the mesh as it lies: perspective changes only what has moved.
        closer = (rest_distance / distance)[:, None]
        flat = self._optical_centre + (points[:, :2] - self._optical_centre) * closer
        return flat.astype(np.float32), distance.astype(np.float32)


def _rotations(look: Look, weights: Floats) -> Floats:
    """(n, 3, 3): a point of weight w turns by w times the angles."""
    yaw, pitch, roll = (np.radians(angle) * weights for angle in (look.yaw, -look.pitch, look.roll))
    zero, one = np.zeros_like(weights), np.ones_like(weights)

    def matrix(*rows: tuple[Floats, Floats, Floats]) -> Floats:
        return np.ascontiguousarray(np.moveaxis(np.array(rows, dtype=np.float32), 2, 0))

    about_y: Floats = matrix(
        (np.cos(yaw), zero, -np.sin(yaw)), (zero, one, zero), (np.sin(yaw), zero, np.cos(yaw))
    )
    about_x = matrix(
        (one, zero, zero),
        (zero, np.cos(pitch), -np.sin(pitch)),
        (zero, np.sin(pitch), np.cos(pitch)),
    )
    about_z = matrix(
        (np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one)
    )
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def _shut(points: Floats, lids: Lids, closure: float) -> None:
    """Close one eye in place: the upper lid comes down and draws the skin above it along."""
    if closure <= 0:
        return
    upper, lower = points[list(lids.upper), :2].copy(), points[list(lids.lower), :2].copy()
    down = 0.88 * (lower - upper) * closure
    up = (upper - lower) * closure
    points[list(lids.upper), :2] += 0.97 * down
    points[list(lids.crease), :2] += 0.55 * down
    points[list(lids.brow), :2] += 0.10 * down
    points[list(lids.lower), :2] += 0.10 * up
    points[list(lids.pouch), :2] += 0.05 * up


def _smile(face: Floats, width: float, smile: float) -> None:
    """Draw the corners of the mouth outwards and up in place, and the cheeks along."""
    corners = face[list(MOUTH_CORNERS)]
    outwards = np.sign(corners[:, :1] - corners[:, :1].mean())
    for corner, side in zip(corners, outwards, strict=True):
        away = np.linalg.norm(face - corner, axis=1, keepdims=True) / (CHEEK_RADIUS * width)
        face[:, :2] += np.exp(-(away**2)) * smile * SMILE * width * np.array([side[0], -1.0])
