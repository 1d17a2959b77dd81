"""A clip of all challenges with ground truth, to hold a vision against."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.sensor import NOISE, Sensor

Label = Literal["straight", "right", "left", "back", "blink"]

TURN = 32.0  # degrees
BLINK_SECONDS = 0.3  # lid down, a moment shut, lid up
BLINK_OVERDRIVE = 1.35  # the lid's sine is cut off at shut: about 0.1 s stay shut
DRIFT = (2.0, 1.5)  # pixels right and down: nobody sits still
DRIFT_RATES = (4.2, 3.4)  # radians a second, right and down
NOD = 1.5  # degrees of pitch, slow
NOD_RATE = 2.6  # radians a second

# (label, seconds, yaw at its start, yaw at its end); a blink keeps its yaw.
SCRIPT: tuple[tuple[Label, float, float, float], ...] = (
    ("straight", 1.5, 0, 0),
    ("right", 0.8, 0, -TURN),
    ("right", 0.7, -TURN, -TURN),
    ("back", 0.8, -TURN, 0),
    ("straight", 0.6, 0, 0),
    ("left", 0.8, 0, TURN),
    ("left", 0.7, TURN, TURN),
    ("back", 0.8, TURN, 0),
    *((("straight", 0.7, 0, 0), ("blink", BLINK_SECONDS, 0, 0)) * 3),
    ("straight", 0.7, 0, 0),
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What one frame of a clip shows.

    `time`: seconds since the first frame. `yaw`, `pitch`: degrees before the camera, the pose in
    which the portrait was photographed included. `turn`: yaw relative to that pose. `closure`: of
    both eyes, 0 as photographed to 1 shut.
    """

    time: float
    yaw: float
    turn: float
    pitch: float
    closure: float
    label: Label


def ease(share: float) -> float:
    """Map 0..1 to 0..1 with rest at both ends, as people move."""
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, share)))


def closure(seconds: float) -> float:
    """How far the lids of a blink are down, `seconds` after they began to move: 0..1."""
    if not 0 <= seconds <= BLINK_SECONDS:
        return 0.0
    return min(1.0, BLINK_OVERDRIVE * math.sin(math.pi * seconds / BLINK_SECONDS))


def challenge_truths(portrait: Portrait, fps: float = 30.0) -> Iterator[Truth]:
    """What each frame of `challenge_clip` shows, without rendering it."""
    time = start = 0.0
    index = 0
    for label, seconds, yaw_from, yaw_to in SCRIPT:
        while (time := index / fps) < start + seconds:
            turn = yaw_from + (yaw_to - yaw_from) * ease((time - start) / seconds)
            shut = closure(time - start) if label == "blink" else 0.0
            yield Truth(
                time=time,
                yaw=portrait.rest_yaw + turn,
                turn=turn,
                pitch=NOD * math.sin(NOD_RATE * time),
                closure=shut,
                label=label,
            )
            index += 1
        start += seconds


def challenge_clip(
    portrait: Portrait, fps: float = 30.0, *, noise: float = NOISE, seed: int = 0
) -> Iterator[tuple[Picture, Truth]]:
    """Render a person who turns right, left and blinks three times: (frame, truth) for each.

    straight -> right (-32 degrees) -> back -> left (+32) -> back -> three blinks, with slow drift
    and sensor noise; frames are (height, width, 3) uint8 BGR; the same seed gives the same clip.
    """
    sensor = Sensor(portrait.size, noise, seed=seed)
    for truth in challenge_truths(portrait, fps):
        scene = portrait.render(
            yaw=truth.turn,
            pitch=truth.pitch,
            blink_right=truth.closure,
            blink_left=truth.closure,
            tx=DRIFT[0] * math.sin(DRIFT_RATES[0] * truth.time),
            ty=DRIFT[1] * math.sin(DRIFT_RATES[1] * truth.time),
        )
        yield sensor.expose(scene), truth
