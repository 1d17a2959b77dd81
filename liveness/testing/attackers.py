"""Presentation attacks: none of them may ever come out live."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import cv2
import numpy as np

from liveness.challenge.names import Challenge
from liveness.testing.motion import Spring, shifted, sway
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import SIDE, Manner, Puppet
from liveness.testing.raster import Picture
from liveness.testing.screen import PHONE, Device, Screen
from liveness.testing.sensor import NOISE, Sensor
from liveness.testing.sheet import Sheet, room
from liveness.testing.source import Source

PRINT_TURN = 50.0  # degrees: further, and no face is left to be seen
NOD_TURN = 40.0  # degrees up and down, to make a print's eyes look smaller
NOD_RATE = 4.0  # radians a second
IDLE_TURN = 6.0  # degrees: nobody holds a print quite still
RECORDED_FPS = 30.0
RECORDED_QUALITY = 92  # of 100: a recording has been compressed once
SLIDE_TURN = 20.0  # degrees
SLIDE_EVERY = 2.3  # seconds from one showing of a slide to the next
SLIDE_DELAY = 0.8  # seconds until it is found
SLIDE_BLINK = 0.2  # seconds that shut eyes are shown
LOOK_AGAIN = 1.5  # seconds that a recorded person is given for each move


class StillPhoto:
    """A photograph filling the picture, with nothing alive in it but the camera's noise."""

    def __init__(self, portrait: Portrait, *, noise: float = NOISE, seed: int = 0) -> None:
        self._scene = portrait.render()
        self._sensor = Sensor(portrait.size, noise, seed=seed)

    def frame(self, time: float) -> Picture:  # noqa: ARG002 - it is still
        """Show it with fresh noise."""
        return self._sensor.expose(self._scene)

    def react(self, state: Mapping[str, Any]) -> None:
        """A photograph does not react."""


class SlideShow:
    """Photographs of all that may be asked, on something in a hand whose edges are not seen."""

    def __init__(self, portrait: Portrait, *, noise: float = NOISE, seed: int = 0) -> None:
        self._slides = {
            Challenge.FRONT: portrait.render(),
            Challenge.RIGHT: portrait.render(yaw=-SLIDE_TURN),
            Challenge.LEFT: portrait.render(yaw=SLIDE_TURN),
            Challenge.BLINK: portrait.render(blink_right=1.0, blink_left=1.0),
        }
        self._sensor = Sensor(portrait.size, noise, seed=seed)
        self._sway = sway(Random(seed), portrait.size)  # noqa: S311 - movements, no secrets
        self._asked: tuple[int, Challenge] = 0, Challenge.FRONT
        self._time = self._since = 0.0

    def frame(self, time: float) -> Picture:
        """Show what is asked, after a while and only for a moment, and the face at rest else."""
        self._time = time
        asked = self._asked[1]
        length = SLIDE_BLINK if asked is Challenge.BLINK else SLIDE_EVERY
        shown = 0 <= (time - self._since) % SLIDE_EVERY - SLIDE_DELAY < length
        slide = self._slides[asked if shown else Challenge.FRONT]
        return self._sensor.expose(shifted(slide, *self._sway(time)))

    def react(self, state: Mapping[str, Any]) -> None:
        """Choose the photograph of what is asked."""
        asked = state["step"], Challenge(state["challenge"])
        if asked != self._asked:
            self._asked, self._since = asked, self._time


class EmptyRoom:
    """Nobody there."""

    def __init__(self, size: tuple[int, int], *, noise: float = NOISE, seed: int = 0) -> None:
        self._scene = room(size)
        self._sensor = Sensor(size, noise, seed=seed)

    def frame(self, time: float) -> Picture:  # noqa: ARG002 - nothing happens
        """Show the room with fresh noise."""
        return self._sensor.expose(self._scene)

    def react(self, state: Mapping[str, Any]) -> None:
        """Nobody reacts."""


class WavedPrint:
    """A print whose holder does what is asked: tilts it right and left, nods it for a blink.

    `bend`: degrees of a cylinder that the print is bent around; 0 is flat.
    """

    def __init__(
        self, portrait: Portrait, *, bend: float = 0.0, noise: float = NOISE, seed: int = 0
    ) -> None:
        self._sheet = Sheet(portrait.render(), bend=bend)
        self._sensor = Sensor(portrait.size, noise, seed=seed)
        self._sway = sway(Random(seed), portrait.size)  # noqa: S311 - movements, no secrets
        self._hand = Spring(0.0)
        self._asked = Challenge.FRONT

    def frame(self, time: float) -> Picture:
        """Show the print as its holder tilts it."""
        turn = SIDE.get(self._asked, 0.0) * PRINT_TURN
        yaw = self._hand.move(time, turn) + IDLE_TURN * math.sin(1.1 * time)
        nod = NOD_TURN if self._asked is Challenge.BLINK else IDLE_TURN
        scene = self._sheet.show(yaw, nod * math.sin(NOD_RATE * time))
        return self._sensor.expose(shifted(scene, *self._sway(time)))

    def react(self, state: Mapping[str, Any]) -> None:
        """Tilt the print as a face would turn, at once."""
        self._asked = Challenge(state["challenge"])


class TwoFaces:
    """Two people side by side, each half as wide as the picture; both do what is asked."""

    def __init__(self, right: Puppet, left: Puppet) -> None:
        """`right` stands in the picture's left half, at her own right as seen from the camera."""
        self._people = right, left

    @classmethod
    def of(cls, size: tuple[int, int], *, seed: int = 0) -> "TwoFaces":
        """Make twins out of the astronaut; `size` (width, height) of the whole picture."""
        half = Portrait.astronaut(size=(size[0] // 2, size[1]))
        return cls(Puppet(half, seed=seed), Puppet(half, seed=seed + 1))

    def frame(self, time: float) -> Picture:
        """Show both."""
        return np.hstack([person.frame(time) for person in self._people])

    def react(self, state: Mapping[str, Any]) -> None:
        """Both do as they are told."""
        for person in self._people:
            person.react(state)


class LoopedRecording:
    """A recording shown again and again, by a virtual camera: without noise of its own."""

    def __init__(self, pictures: Iterable[Picture], fps: float = RECORDED_FPS) -> None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, RECORDED_QUALITY]
        self._fps = fps
        self._frames = [cv2.imencode(".jpg", picture, quality)[1] for picture in pictures]
        if not self._frames:
            raise ValueError("a recording needs at least one picture")

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self._frames) / self._fps

    @classmethod
    def of(
        cls, portrait: Portrait, order: Sequence[Challenge], *, seed: int = 0
    ) -> "LoopedRecording":
        """Record a genuine person doing `order`, as seen in a session that asked for it."""
        return cls(perform(Puppet(portrait, Manner(reaction=0.0), seed=seed), order))

    def frame(self, time: float) -> Picture:
        """Show the recording, from its beginning again after its end."""
        index = int(time * self._fps) % len(self._frames)
        return np.asarray(cv2.imdecode(self._frames[index], cv2.IMREAD_COLOR), dtype=np.uint8)

    def react(self, state: Mapping[str, Any]) -> None:
        """A recording does not react."""


class ScreenReplay:
    """A screen held before the camera, on which `player` is seen: a video call with a puppet.

    What is asked reaches the player, who does it: what gives the attack away is the screen.
    """

    def __init__(
        self,
        player: Source,
        size: tuple[int, int],
        device: Device = PHONE,
        *,
        noise: float = NOISE,
        seed: int = 0,
    ) -> None:
        self._player = player
        self._screen = Screen(size, device, seed=seed)
        self._sensor = Sensor(size, noise, seed=seed)

    def frame(self, time: float) -> Picture | None:
        """Show the screen with what is on it now; None when the player has ended."""
        picture = self._player.frame(time)
        return None if picture is None else self._sensor.expose(self._screen.show(picture, time))

    def react(self, state: dict[str, Any]) -> None:
        """Pass it on to who is on the screen."""
        self._player.react(state)


def perform(
    puppet: Puppet, order: Sequence[Challenge], fps: float = RECORDED_FPS
) -> Iterator[Picture]:
    """Have a person do `order`, a second and a half for each, without a server."""
    frames = round(LOOK_AGAIN * fps)
    for step, challenge in enumerate(order):
        puppet.react({"step": step, "challenge": challenge, "hint": None})
        for index in range(step * frames, (step + 1) * frames):
            yield puppet.frame(index / fps)


class FaceSwap:
    """Somebody begins, and at step `swap_at` another person takes over, `after` seconds into it.

    A deepfake that fails, or a second person who takes over: from one frame to the next.
    """

    def __init__(
        self, first: Source, second: Source, swap_at: int = 1, *, after: float = 0.0
    ) -> None:
        self._first = first
        self._second = second
        self._swap_at = swap_at
        self._after = after
        self._due: float | None = None
        self._time = 0.0

    def frame(self, time: float) -> Picture | None:
        """Show whose turn it is; both move all the time."""
        self._time = time
        pictures = self._first.frame(time), self._second.frame(time)
        return pictures[self._due is not None and time >= self._due]

    def react(self, state: dict[str, Any]) -> None:
        """Both hear what is asked."""
        if self._due is None and int(state["step"]) >= self._swap_at:
            self._due = self._time + self._after
        self._first.react(state)
        self._second.react(state)
