"""How people move: heads like damped springs, lids in blinks, bodies never still."""

import math
from collections.abc import Callable
from random import Random

import cv2
import numpy as np

from liveness.testing.clip import closure
from liveness.testing.raster import Picture

SPEED = 7.0
"""Natural frequency of a turning head, radians a second: a 28 degree turn takes about 0.6 s."""
POSTURE = 4.0  # seconds in which a body comes to rest elsewhere
ASIDE, LOWER = 12.0, 8.0  # pixels of 480 by which that is
INTEGRATION_STEP = 0.005  # seconds: far below 1 / SPEED, so that frame rates do not matter


class Spring:
    """A head's yaw on its way to where the person wants it, degrees.

    `damping` 1 arrives without overshoot; .4 overshoots by a quarter of the way.
    """

    def __init__(self, position: float, *, damping: float = 1.0, speed: float = SPEED) -> None:
        self.position = self.goal = position
        self._velocity = 0.0
        self._damping = damping
        self._speed = speed
        self._time: float | None = None

    def move(self, time: float, goal: float) -> float:
        """Go on until `time` (seconds), towards `goal`; return the position then."""
        self.goal = goal
        begun = time if self._time is None else self._time
        steps = max(0, round((time - begun) / INTEGRATION_STEP))
        for _ in range(steps):
            pull = self._speed**2 * (goal - self.position)
            drag = 2 * self._damping * self._speed * self._velocity
            self._velocity += (pull - drag) * INTEGRATION_STEP
            self.position += self._velocity * INTEGRATION_STEP
        self._time = begun + steps * INTEGRATION_STEP
        return self.position

    @property
    def settled(self) -> bool:
        """Whether it has arrived and rests."""
        return abs(self.position - self.goal) < 2.0 and abs(self._velocity) < 10.0  # noqa: PLR2004 - degrees, and degrees a second


class Lids:
    """Blinks: those the person is asked for, and those that come by themselves."""

    def __init__(self, random: Random, interval: float) -> None:
        """`interval`: mean time between two blinks that come by themselves, seconds."""
        self._random = random
        self._interval = interval
        self._begun = -math.inf
        self._next: float | None = None

    def blink(self, time: float) -> None:
        """Begin a blink now."""
        self._begun = time
        self._next = None

    def closure(self, time: float) -> float:
        """How far the lids are down at `time`, 0..1."""
        if self._next is None:
            # Nobody blinks twice within half a second without meaning to.
            pause = 0.5 + self._random.expovariate(1 / max(0.05, self._interval - 0.5))
            self._next = max(time, self._begun) + pause
        if time >= self._next:
            self.blink(time)
        return closure(time - self._begun)


def sway(random: Random, size: tuple[int, int]) -> Callable[[float], tuple[float, float, float]]:
    """Make a body's slow movement: time in seconds -> (right, down, tilt), pixels and degrees."""
    unit = min(size) / 480
    phases = [random.uniform(0, 2 * math.pi) for _ in range(5)]
    aside, lower = (_posture(Random(random.random())) for _ in range(2))  # noqa: S311 - movements

    def at(time: float) -> tuple[float, float, float]:
        right = 2.2 * math.sin(0.93 * time + phases[0]) + 0.8 * math.sin(2.27 * time + phases[1])
        right += ASIDE * aside(time)
        breath = 1.4 * math.sin(2 * math.pi * 0.25 * time + phases[2])  # 15 breaths a minute
        down = breath + 0.7 * math.sin(1.37 * time + phases[3]) + LOWER * lower(time)
        tilt = 0.7 * math.sin(0.71 * time + phases[4])
        return right * unit, down * unit, tilt

    return at


def _posture(random: Random) -> Callable[[float], float]:
    """Go from one place to the next, 0..1, every few seconds: what only swings comes back."""
    places = [0.0]

    def at(time: float) -> float:
        number, share = divmod(max(time, 0.0) / POSTURE, 1.0)
        while len(places) < number + 2:
            places.append(random.random())
        here, there = places[int(number) : int(number) + 2]
        return here + (there - here) * share * share * (3 - 2 * share)

    return at


def shifted(scene: Picture, right: float, down: float, tilt: float) -> Picture:
    """Move a picture by parts of pixels and turn it by degrees, clockwise."""
    height, width = scene.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -tilt, 1.0)
    matrix[:, 2] += np.array([right, down])
    moved = cv2.warpAffine(
        scene, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, dtype=np.uint8)
