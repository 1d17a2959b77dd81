"""Cameras differ, and so does what a sender makes of one picture after the other: people pass."""

import asyncio
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from liveness.testing.fixtures import LivenessServer
from liveness.testing.peer import Check
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture

Size = tuple[int, int]
"""Width and height, pixels."""

HD: Size = (1280, 720)
LANDSCAPE: Size = (640, 480)
UPRIGHT: Size = (480, 640)

CHANGE_EVERY = 0.9
"""Seconds: changes fall into rest, turns, blinks and the ways back."""

SLOWEST = 20.0
"""Seconds of video; it takes five where there is time to draw and encode all frames."""

TALL = 0.41
"""Of the picture's height, which all of these show: the box of the person's face."""


class Resizing:
    """Sends what a camera sees of somebody in one size after the other.

    Cut out of the middle where the proportions differ, as a telephone does that is turned.
    """

    def __init__(self, person: Puppet, sizes: Sequence[Size]) -> None:
        self.sent: list[Size] = []
        self._person = person
        self._sizes = sizes

    def frame(self, time: float) -> Picture:
        size = self._sizes[int(time / CHANGE_EVERY) % len(self._sizes)]
        if self.sent[-1:] != [size]:
            self.sent.append(size)
        return fitted(self._person.frame(time), size)

    def react(self, state: dict[str, Any]) -> None:
        self._person.react(state)


def fitted(picture: Picture, size: Size) -> Picture:
    """Cut the largest part of these proportions out of the middle, and scale it."""
    height, width = picture.shape[:2]
    scale = min(width / size[0], height / size[1])
    x, y = round((width - scale * size[0]) / 2), round((height - scale * size[1]) / 2)
    cut = picture[y : height - y, x : width - x]
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def hd_portrait() -> Portrait:
    portrait = Portrait.astronaut(size=HD)
    portrait.poses.warm_up()
    return portrait


def assert_passed_at_once(check: Check) -> None:
    """Live, with nothing that set the person back."""
    assert check.verdict.verdict == "live", check.verdict
    assert sorted(check.challenges) == ["blink", "front", "left", "right"]
    assert check.verdict.frames / check.verdict.frame_rate < SLOWEST


async def test_large_and_upright_pictures(
    liveness_server: LivenessServer, hd_portrait: Portrait
) -> None:
    upright = Resizing(Puppet(hd_portrait, seed=1), [UPRIGHT])
    checks = await asyncio.gather(
        liveness_server.check(Puppet(hd_portrait)),
        liveness_server.check(upright, codec="H264"),
    )
    for check, (width, height) in zip(checks, (HD, UPRIGHT), strict=True):
        assert_passed_at_once(check)
        boxes = [state.face for state in check.states if state.face is not None]
        assert all(
            width * box.width == pytest.approx(height * box.height, rel=0.02) for box in boxes
        ), "a square, in whatever picture"


async def test_slow_and_fast_cameras(liveness_server: LivenessServer) -> None:
    small = Portrait.astronaut(size=(480, 360))
    small.poses.warm_up()
    slow, fast = await asyncio.gather(
        liveness_server.check(Puppet(small), fps=10),
        liveness_server.check(Puppet(small, seed=1), fps=60),
    )
    print(f"measured a second: {slow.verdict.frame_rate}, {fast.verdict.frame_rate}")
    for check in (slow, fast):
        assert_passed_at_once(check)
    assert slow.verdict.frame_rate == pytest.approx(10, abs=1)
    assert fast.verdict.frame_rate > 30, "every frame that comes in time is measured"


@pytest.mark.parametrize(
    ("codec", "sizes"),
    [
        ("VP8", [LANDSCAPE, (320, 240), HD]),
        ("H264", [HD, (640, 360), (320, 180)]),
        ("VP8", [LANDSCAPE, UPRIGHT]),
    ],
    ids=["VP8", "H264, scaled by a sender", "a telephone that is turned"],
)
async def test_the_size_may_change_on_the_way(
    codec: str, sizes: list[Size], liveness_server: LivenessServer, hd_portrait: Portrait
) -> None:
    source = Resizing(Puppet(hd_portrait), sizes)
    check = await liveness_server.check(source, codec=codec)
    changes = len(source.sent) - 1
    print(f"{changes} changes, {check.verdict.frames} of {check.sent} frames measured")
    assert changes > len(sizes), "each at least once, and some again"
    assert_passed_at_once(check)
    boxes = [state.face for state in check.states if state.face is not None]
    assert all(box.height == pytest.approx(TALL, abs=0.05) for box in boxes), "and nothing else"
