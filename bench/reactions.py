"""How many frames after a person has turned or blinked the server knows, and the person hears.

The true frame of a move is the first one with which what was rendered meets the challenge, by the
server's own rule for it (`liveness.challenge`) and exact angles and lids in place of measured ones.
So it holds what the rule itself waits for: the second frame running of a head turned by 12 degrees,
the second frame running of open eyes after shut ones.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any

import numpy as np

from liveness.challenge.baseline import Baseline
from liveness.challenge.blink import Blink
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.sequence import REACTION
from liveness.challenge.turn import Turn
from liveness.testing.peer import run_check
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import SIDE, Manner, Puppet
from liveness.testing.raster import Picture
from liveness.testing.source import Source
from liveness.vision.observation import POINTS, Box, Eyes, Face, Pose, Quality

RATE = 30
"""Frames a second."""

AIM = 3
"""Frames."""

FRONT, RIGHT, LEFT, BLINK = Challenge
ASKED = (FRONT, RIGHT, BLINK, LEFT, BLINK, RIGHT, LEFT, BLINK, FRONT)
"""Of one person; `front` at the end because states tell of every step but the last."""

MANNERS = (Manner(blink_interval=60), Manner(speed=4.0, reaction=0.3, blink_interval=60))
"""People who turn as fast as others do, and slowly; lids that move unasked would blur the truth."""


@dataclass(frozen=True)
class Shown:
    """Ground truth of one frame: yaw in degrees from rest, and closure of the lids, 0..1."""

    time: float
    yaw: float
    closure: float


@dataclass(frozen=True)
class Heard:
    """A state of the server, and the time of the newest frame drawn when it came."""

    state: Mapping[str, Any]
    newest: float


class Witness:
    """A source that remembers what `person` really showed, and what was said of it."""

    def __init__(self, person: Puppet, source: Source | None = None) -> None:
        """`source`: what makes the pictures of `person`, if that is not the puppet itself."""
        self.shown: list[Shown] = []
        self.heard: list[Heard] = []
        self._person = person
        self._source = source or person

    def frame(self, time: float) -> Picture | None:
        picture = self._source.frame(time)
        yaw, closure = self._person.shown
        self.shown.append(Shown(time, yaw - self._person.manner.rest_yaw, closure))
        return picture

    def react(self, state: dict[str, Any]) -> None:
        self.heard.append(Heard(state, self.shown[-1].time))
        self._source.react(state)


@dataclass(frozen=True)
class Reaction:
    """One move: frames from the true one to the one with which the server knew, and until then."""

    challenge: Challenge
    known: int
    heard: int


def reactions(witness: Witness, rate: float = RATE) -> Iterator[Reaction]:
    """Hold what was said of turns and blinks against what was shown.

    Raises `ValueError` where one was passed that was never shown.
    """
    for (_, name), states in groupby(witness.heard, lambda each: _step(each.state)):
        challenge, told = Challenge(name), list(states)
        passed = next((each for each in told if each.state["hint"] == Hint.PASSED), None)
        if challenge is FRONT or passed is None:
            continue
        true = true_time(challenge, witness.shown, told[0].state["time"])
        if true is None:
            raise ValueError(f"{challenge} was passed and never shown")
        known, heard = passed.state["time"] - true, passed.newest - true
        yield Reaction(challenge, round(known * rate), round(heard * rate))


def true_time(challenge: Challenge, shown: Iterable[Shown], prompt: float) -> float | None:
    """Find the frame at which a challenge that was asked at `prompt` was really met."""
    baseline = Baseline()
    machine = Turn(challenge, baseline) if challenge in SIDE else Blink(baseline)
    counted = (each for each in shown if each.time > prompt + REACTION)
    met = (each.time for each in counted if machine.update(_face(each, baseline), each.time))
    return next(met, None)


@dataclass(frozen=True)
class Watched:
    """What came of some people, and how many of their frames were drawn in time, and measured."""

    moves: list[Reaction]
    due: int
    drawn: int
    measured: int


def tell(watched: Watched) -> str:
    """Tell median and extremes of turns and blinks, and whether the machine was up to it."""
    lines = [
        f"of {watched.due} frames {watched.drawn} were drawn in time, {watched.measured} measured"
    ]
    for name, kinds in (("turns", set(SIDE)), ("blinks", {BLINK})):
        moves = [each for each in watched.moves if each.challenge in kinds]
        known, heard = [each.known for each in moves], [each.heard for each in moves]
        lines.append(
            f"{len(moves)} {name}: known {median(known):g} frames after the true one, "
            f"{min(known)} to {max(known)}; heard of after {median(heard):g}, at most "
            f"{max(heard)} (aim: {AIM})"
        )
    return "\n".join(lines)


async def watch(url: str, people: int) -> Watched:
    """Have so many people checked at the same time who turn and blink several times."""
    portrait = Portrait.astronaut()
    portrait.poses.warm_up()
    witnesses = [
        Witness(Puppet(portrait, MANNERS[seed % len(MANNERS)], seed=seed)) for seed in range(people)
    ]
    checks = await asyncio.gather(*(run_check(url, each, challenges=ASKED) for each in witnesses))
    drawn = sum(check.sent for check in checks)
    return Watched(
        [reaction for each in witnesses for reaction in reactions(each)],
        due=drawn + sum(check.skipped for check in checks),
        drawn=drawn,
        measured=sum(check.verdict.frames for check in checks),
    )


def _step(state: Mapping[str, Any]) -> tuple[int, str]:
    return state["step"], state["challenge"]


def _face(shown: Shown, baseline: Baseline) -> Face:
    """What a faultless measurement of the person whose rest is `baseline` would say."""
    opened = 1 - shown.closure
    return Face(
        box=Box(0.35, 0.25, 0.3, 0.4),
        landmarks=np.zeros((POINTS, 2), np.float32),
        pose=Pose(baseline.yaw + shown.yaw, baseline.pitch, 0.0),
        eyes=Eyes(baseline.eyes.right * opened, baseline.eyes.left * opened),
        quality=Quality(size=0.4, brightness=120.0, contrast=40.0, sharpness=0.7),
        aspect=baseline.aspect,
    )
