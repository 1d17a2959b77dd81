import random

import numpy as np
import pytest

from liveness.challenge.plan import Plan
from liveness.testing.attackers import ScreenReplay
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.testing.rehearsal import rehearse
from liveness.testing.screen import PHONE, TABLET, Device, Screen
from liveness.testing.source import Frames
from liveness.vision.landmarks import Landmarker

WHITE = np.full((480, 640, 3), 255, np.uint8)
BLACK = np.zeros((480, 640, 3), np.uint8)


@pytest.mark.parametrize("device", [PHONE, TABLET], ids=["phone", "tablet"])
def test_who_is_on_the_screen_does_all_that_is_asked(
    device: Device, portrait: Portrait, landmarker: Landmarker
) -> None:
    """So it is the screen alone that gives the attack away."""
    replay = ScreenReplay(Puppet(portrait), portrait.size, device)
    done = rehearse(replay, Plan(generator=random.Random(1)), landmarker)
    assert done.passed, done


@pytest.mark.parametrize("device", [PHONE, TABLET], ids=["phone", "tablet"])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720)])
def test_the_picture_is_inside_a_dark_bezel_in_a_room(
    device: Device, size: tuple[int, int]
) -> None:
    screen = Screen(size, device)
    lit = screen.show(WHITE, 0.0).astype(int) - screen.show(BLACK, 0.0).astype(int)
    changed = lit.max(axis=2) > 30
    height, width = changed.shape
    assert changed[height // 2, width // 2], "the screen is in the middle"
    share = changed.mean()
    assert 0.2 < share < 0.9
    if size == (640, 480):
        assert not changed[:10].any()
        assert not changed[-10:].any(), "the room, or the bezel, goes around it"
    below = screen.show(WHITE, 0.0)[:, width // 2].max(axis=1)
    assert below.min() < 40, "the bezel is dark"


def test_it_moves_and_flickers() -> None:
    screen = Screen((640, 480), PHONE)
    pictures = [screen.show(WHITE, time) for time in (0.0, 0.04, 1.0)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_it_ends_with_what_it_shows() -> None:
    replay = ScreenReplay(Frames([WHITE] * 3, 30), (640, 480))
    assert replay.frame(0.0) is not None
    assert replay.frame(1.0) is None
