"""What a person's face reads at rest: people differ, so every challenge is measured against it."""

from collections.abc import Sequence
from statistics import median
from typing import Self

import numpy as np

from liveness.vision.observation import Eyes, Face, Landmarks

SHUT = 0.72
"""Openness (1 is the person's own open eye) below which an eye is shut. Blinks measured on six real
people and four rendered ones reach .15 to .67; eyes at rest stay above .85 in 95 of 100 frames."""

# The seed's fixed aspect ratio of a shut eye: the bound until a person's own is known.
_SHUT_RATIO = 0.25
# The share of frames of a person at rest whose eyes are less open than the baseline: above the
# half, so that a blink or two among them does not lower it.
_OPEN_QUANTILE = 0.6
# Below this an eye is shut or hidden whoever it belongs to: keeps ratios finite.
_LEAST_OPEN = 0.05
# A baseline follows a person who settles down or relaxes the eyes with this time constant,
# seconds: slower than any challenge, faster than a session.
_FOLLOW = 3.0
# Only a face this near to its baseline moves it: yaw in degrees, eyes in shares of open.
_RESTING_YAW = 6.0
_RESTING_EYES = 0.8


class Baseline:
    """Resting head pose in degrees, the aspect ratio of each open eye, and the view of the face.

    `landmarks`: (68, 2) pixels about their middle.
    """

    def __init__(self) -> None:
        self.yaw = 0.0
        self.pitch = 0.0
        self.aspect = 1.0
        self.eyes = Eyes(_SHUT_RATIO / SHUT, _SHUT_RATIO / SHUT)
        self.landmarks: Landmarks = np.zeros((68, 2), np.float32)

    @classmethod
    def of(cls, faces: Sequence[Face]) -> Self:
        """Make one that has learnt from `faces`."""
        baseline = cls()
        baseline.learn(faces)
        return baseline

    def learn(self, faces: Sequence[Face]) -> None:
        """Take the baseline from at least one face that looks straight at the camera."""
        self.yaw = median(face.pose.yaw for face in faces)
        self.pitch = median(face.pose.pitch for face in faces)
        self.aspect = median(face.aspect for face in faces)
        self.eyes = Eyes(
            right=_open([face.eyes.right for face in faces]),
            left=_open([face.eyes.left for face in faces]),
        )
        views = np.array([face.landmarks for face in faces])
        centred = views - views.mean(axis=1, keepdims=True)
        self.landmarks = np.median(centred, axis=0).astype(np.float32)

    def follow(self, face: Face, seconds: float) -> None:
        """Move towards a resting face, seen for `seconds`; any other face changes nothing."""
        if abs(self.turn(face)) > _RESTING_YAW or min(self.openness(face)) < _RESTING_EYES:
            return
        share = min(seconds / _FOLLOW, 1.0)
        self.yaw = _towards(self.yaw, face.pose.yaw, share)
        self.pitch = _towards(self.pitch, face.pose.pitch, share)
        self.eyes = Eyes(
            right=_towards(self.eyes.right, face.eyes.right, share),
            left=_towards(self.eyes.left, face.eyes.left, share),
        )

    def turn(self, face: Face) -> float:
        """Degrees turned from rest, positive to the person's own left."""
        return face.pose.yaw - self.yaw

    def stretch(self, face: Face) -> float:
        """Share by which the face has become taller (or, below 0, lower) for its width."""
        return face.aspect / self.aspect - 1

    def openness(self, face: Face) -> tuple[float, float]:
        """How open the right and the left eye are: 1 as at rest, near .3 when shut."""
        return face.eyes.right / self.eyes.right, face.eyes.left / self.eyes.left


def _open(ratios: list[float]) -> float:
    return max(sorted(ratios)[int(_OPEN_QUANTILE * (len(ratios) - 1))], _LEAST_OPEN)


def _towards(old: float, new: float, share: float) -> float:
    return old + share * (new - old)
