"""Made-up Observations, for tests of what follows the vision."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from liveness.challenge.names import Challenge
from liveness.vision.frame import Luma
from liveness.vision.observation import Box, Eyes, Face, Observation, Pose, Quality, Thumbnail
from liveness.vision.thumbnail import thumbnail

FRAME = 1 / 30
"""Seconds."""

OPEN_EYE = 0.3
"""Eye aspect ratio of the person below."""

BLANK = thumbnail(Luma(np.zeros((480, 640), np.uint8), 640))
"""Of a black picture."""


def a_face(  # noqa: PLR0913  each is one thing a face can do
    yaw: float = 0.0,
    pitch: float = 0.0,
    openness: float = 1.0,
    *,
    wink: float = 0.0,
    aspect: float = 1.0,
    size: float = 0.4,
    brightness: float = 120.0,
    contrast: float = 40.0,
    sharpness: float = 0.7,
    x: float = 0.35,
) -> Face:
    """A face in a 640x480 picture; `wink` closes the left eye only."""
    return Face(
        box=Box(x, 0.3, 0.3, 0.4),
        landmarks=np.zeros((68, 2), np.float32),
        pose=Pose(yaw, pitch, 0.0),
        eyes=Eyes(OPEN_EYE * openness, OPEN_EYE * (openness - wink)),
        quality=Quality(size, brightness, contrast, sharpness),
        aspect=aspect,
    )


def a_thumbnail(face: Face, noise: np.random.Generator) -> Thumbnail:
    """What a picture of `face` reduces to: a head before a wall, eyes, and noise of the camera."""
    y, x = np.mgrid[0:48, 0:64].astype(np.float32) / 2
    wall = 90 + 30 * np.sin(x / 5) * np.cos(y / 7)
    nose = 16 + 0.12 * face.pose.yaw
    head = 70 * np.exp(-(((x - nose) / 5) ** 2 + ((y - 12) / 7) ** 2))
    lids = 60 * (1 - face.eyes.right / OPEN_EYE) * np.exp(-((x - nose) ** 2 / 12 + (y - 10) ** 2))
    grey = wall + head + lids + noise.normal(0, 0.3, wall.shape)
    return np.asarray(np.clip(np.round(grey), 0, 255), np.uint8)


def observe(
    faces: Iterable[Face | None], *, start: float = 0.0, interval: float = FRAME, count: int = 1
) -> Iterator[Observation]:
    """Observations of these faces, `count` of them in each picture that has one."""
    for frame, face in enumerate(faces):
        yield Observation(frame, start + frame * interval, count if face else 0, face, BLANK)


@dataclass(frozen=True, slots=True)
class Recording:
    """Somebody who was filmed doing all four things in one order, looped without end."""

    order: tuple[Challenge, ...]
    rest: float = 0.7
    turn: float = 2.0
    peak: float = 25.0

    @property
    def seconds(self) -> float:
        """Length of one round."""
        return 1.5 + sum(self.rest + self._length(each) for each in self.order)

    def faces(self, seconds: float, interval: float, offset: float = 0.0) -> Iterator[Face]:
        """What it shows from `offset` on, one every `interval` seconds."""
        return (self.face(offset + k * interval) for k in range(round(seconds / interval)))

    def face(self, time: float) -> Face:
        """What the recording shows at `time`: a face that moves, and sways as everybody's does."""
        time %= self.seconds
        moved = self._at(time - 1.5)
        sway = 0.8 * math.sin(1.7 * time) + 0.5 * math.sin(2.7 * time + 1) + 0.2 * time
        return replace(moved, pose=replace(moved.pose, yaw=moved.pose.yaw + sway))

    def _at(self, time: float) -> Face:
        for number, challenge in enumerate(self.order):
            time -= self.rest
            if time < 0:
                return a_face()
            length = self._length(challenge)
            if time < length:
                amount = min(1.3 * math.sin(math.pi * time / length), 1)
                return self._move(challenge, 1.05**number * amount)  # no two moves are alike
            time -= length
        return a_face()

    def _length(self, challenge: Challenge) -> float:
        return 0.3 if challenge is Challenge.BLINK else self.turn

    def _move(self, challenge: Challenge, amount: float) -> Face:
        match challenge:
            case Challenge.BLINK:
                return a_face(openness=1 - 0.65 * min(amount, 1))
            case Challenge.RIGHT:
                return a_face(yaw=-self.peak * amount)
            case Challenge.LEFT:
                return a_face(yaw=self.peak * amount)
            case Challenge.FRONT:
                return a_face()
