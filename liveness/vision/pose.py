"""Head pose from 68 landmarks: a scaled orthographic fit of an average face.

Perspective solvers (`cv2.solvePnP`) flip the sign of yaw on some heads from about 25 degrees, or
near the front, because six or eight points leave two minima. Under scaled orthography the fit of
all points is one linear least-squares problem with one solution, so its sign cannot flip.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness.vision.compiled import compiled
from liveness.vision.observation import Landmarks, Pose

# The average face as dlib's landmarks see it: x to the picture's right, y down, z away from the
# camera, in inter-ocular distances. Fitted, and made symmetric, to the points dlib places on heads
# of known pose: twelve rendered MakeHuman heads (three ancestries, both sexes, young and old) and
# two portraits turned on a mesh. Left out of the fit in turn, each head's yaw was wrong by at most
# 4.2 degrees in the mean, over +-36 degrees of yaw and +-12 of pitch.
AVERAGE_FACE: NDArray[np.float64] = np.array(
    [
        # jaw, from the person's right ear to the left one
        (-1.186, -0.636, 0.929),
        (-1.177, -0.337, 0.861),
        (-1.140, -0.032, 0.814),
        (-1.063, 0.266, 0.766),
        (-0.932, 0.542, 0.652),
        (-0.747, 0.783, 0.478),
        (-0.524, 0.996, 0.283),
        (-0.278, 1.165, 0.095),
        (0.000, 1.214, 0.017),
        (0.278, 1.165, 0.095),
        (0.524, 0.996, 0.283),
        (0.747, 0.783, 0.478),
        (0.932, 0.542, 0.652),
        (1.063, 0.266, 0.766),
        (1.140, -0.032, 0.814),
        (1.177, -0.337, 0.861),
        (1.186, -0.636, 0.929),
        # brows
        (-0.915, -0.872, 0.236),
        (-0.772, -1.007, 0.081),
        (-0.565, -1.055, -0.067),
        (-0.349, -1.033, -0.193),
        (-0.147, -0.953, -0.289),
        (0.147, -0.953, -0.289),
        (0.349, -1.033, -0.193),
        (0.565, -1.055, -0.067),
        (0.772, -1.007, 0.081),
        (0.915, -0.872, 0.236),
        # nose
        (0.000, -0.633, -0.294),
        (0.000, -0.428, -0.392),
        (0.000, -0.225, -0.503),
        (0.000, -0.017, -0.618),
        (-0.225, 0.115, -0.344),
        (-0.118, 0.156, -0.396),
        (0.000, 0.191, -0.423),
        (0.118, 0.156, -0.396),
        (0.225, 0.115, -0.344),
        # eyes
        (-0.701, -0.603, 0.074),
        (-0.576, -0.672, -0.014),
        (-0.417, -0.669, -0.043),
        (-0.290, -0.569, -0.032),
        (-0.429, -0.522, -0.030),
        (-0.587, -0.527, 0.001),
        (0.290, -0.569, -0.032),
        (0.417, -0.669, -0.043),
        (0.576, -0.672, -0.014),
        (0.701, -0.603, 0.074),
        (0.587, -0.527, 0.001),
        (0.429, -0.522, -0.030),
        # mouth
        (-0.391, 0.522, -0.066),
        (-0.252, 0.433, -0.265),
        (-0.103, 0.385, -0.381),
        (0.000, 0.413, -0.394),
        (0.103, 0.385, -0.381),
        (0.252, 0.433, -0.265),
        (0.391, 0.522, -0.066),
        (0.257, 0.657, -0.220),
        (0.114, 0.722, -0.324),
        (0.000, 0.735, -0.337),
        (-0.114, 0.722, -0.324),
        (-0.257, 0.657, -0.220),
        (-0.320, 0.523, -0.100),
        (-0.104, 0.503, -0.343),
        (0.000, 0.512, -0.360),
        (0.104, 0.503, -0.343),
        (0.320, 0.523, -0.100),
        (0.105, 0.553, -0.337),
        (0.000, 0.566, -0.354),
        (-0.105, 0.553, -0.337),
    ]
)

# The jaw's points slide along the cheek as a head turns and the lower lip moves in speech: they
# still say how deep this face is, but less surely than the rest.
_WEIGHTS = np.ones(68)
_WEIGHTS[:17] = 0.1
_WEIGHTS[55:60] = 0.3
_WEIGHTS[65:68] = 0.3
_WEIGHTS /= _WEIGHTS.sum()

# Keeps points that lie on one line, or in one place, from dividing by zero.
_LEAST = 1e-12

_MODEL_CENTRE = _WEIGHTS @ AVERAGE_FACE
_MODEL = AVERAGE_FACE - _MODEL_CENTRE
# (3, 68): takes points to the affine camera that explains them best.
_SOLVE = np.linalg.inv(_MODEL.T @ (_WEIGHTS[:, None] * _MODEL)) @ (_WEIGHTS[:, None] * _MODEL).T


@dataclass(frozen=True, slots=True)
class Alignment:
    """The average face laid over a real one.

    `x`, `y`: where the average face's origin (between the cheeks) lies, pixels. `scale`: pixels
    per inter-ocular distance. `residual`: root mean square distance of the points from the fitted
    face, in inter-ocular distances: what tells points on a face from points on something else.
    `aspect`: how tall the face is for its width, against the average face and after its pose is
    accounted for. A head keeps it whatever it does; a picture of a head that is tilted does not.
    """

    x: float
    y: float
    scale: float
    residual: float
    aspect: float
    pose: Pose


def align(points: Landmarks) -> Alignment:
    """Fit the average face to (68, 2) points in pixels."""
    x, y, scale, residual, aspect, yaw, pitch, roll = _align(points)
    return Alignment(x, y, scale, residual, aspect, Pose(yaw, pitch, roll))


# Compiled: as some fifty calls of numpy this took 25 microseconds of every frame, and up to 80
# where decoding has emptied the caches; this takes 2, and 8.
@compiled
def _align(points: Landmarks) -> tuple[float, float, float, float, float, float, float, float]:
    camera, centre = _fit(points)
    scale, rotation = _polar(camera)
    yaw, pitch, roll = _angles(rotation)
    return (
        centre[0] - _dot(camera[0], _MODEL_CENTRE),
        centre[1] - _dot(camera[1], _MODEL_CENTRE),
        scale,
        _error(points, camera, centre) / scale,
        _aspect(camera, rotation),
        yaw,
        pitch,
        roll,
    )


@compiled
def _fit(points: Landmarks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the (2, 3) affine camera that explains the points best, and their (2,) centre."""
    camera, centre = np.zeros((2, 3)), np.zeros(2)
    for index in range(len(points)):
        for axis in range(2):
            place = points[index, axis]
            centre[axis] += _WEIGHTS[index] * place
            for depth in range(3):
                camera[axis, depth] += _SOLVE[depth, index] * place
    return camera, centre


@compiled
def _error(points: Landmarks, camera: NDArray[np.float64], centre: NDArray[np.float64]) -> float:
    """Root mean square distance of the points from where the camera sees them, pixels."""
    squares = 0.0
    for index in range(len(points)):
        for axis in range(2):
            seen = centre[axis] + _dot(camera[axis], _MODEL[index])
            squares += (points[index, axis] - seen) ** 2
    return math.sqrt(squares / points.size)


@compiled
def _polar(camera: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Split a (2, 3) camera into its mean scale and the two orthonormal rows nearest to it.

    The square root of a symmetric 2x2 matrix M is (M + d I) / t with d = sqrt(det M) and
    t = sqrt(trace M + 2 d), the sum of the singular values (Levinger, 1980).
    """
    across, down = camera
    a, b, c = _dot(across, across), _dot(across, down), _dot(down, down)
    d = math.sqrt(max(a * c - b * b, _LEAST))
    t = math.sqrt(a + c + 2 * d)
    rotation = np.empty((2, 3))
    for index in range(3):
        rotation[0, index] = ((c + d) * across[index] - b * down[index]) / (d * t)
        rotation[1, index] = ((a + d) * down[index] - b * across[index]) / (d * t)
    return t / 2, rotation


@compiled
def _aspect(camera: NDArray[np.float64], rotation: NDArray[np.float64]) -> float:
    """Length of the fitted down axis over the across axis, each over what a rigid head shows."""
    across, down, _ = np.hypot(camera[0], camera[1]) / np.maximum(
        np.hypot(rotation[0], rotation[1]), 1e-6
    )
    return float(down / max(across, 1e-6))


@compiled
def _angles(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Read yaw, pitch and roll, degrees, off the first two rows of a rotation."""
    across, down = rotation
    depth = across[0] * down[1] - across[1] * down[0]
    return (
        math.degrees(math.atan2(-across[2], depth)),
        math.degrees(math.asin(max(-1.0, min(down[2], 1.0)))),
        math.degrees(math.atan2(down[0], across[0])),
    )


@compiled
def _dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    total = 0.0
    for index in range(one.size):
        total += one[index] * other[index]
    return total
