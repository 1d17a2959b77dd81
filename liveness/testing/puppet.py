"""A genuine person, simulated: a portrait that does what the server asks."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from liveness.challenge.names import Challenge, Hint
from liveness.testing.motion import SPEED, Lids, Spring, shifted, sway
from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.sensor import NOISE, Sensor

SIDE = {Challenge.RIGHT: -1.0, Challenge.LEFT: 1.0}
"""Sign of yaw; right is the person's own."""

TURN_MORE_PATIENCE = 1.0  # seconds at the end of a turn before the person turns further
TURN_MORE_STEP = 5.0  # degrees
MOST_TURN = 40.0  # degrees: no further, the eyes must still see the screen
WRONG_TURN_SECONDS = 1.2  # until the person notices
BLINK_PAUSE = 1.0  # seconds from one asked blink to the next


@dataclass(frozen=True, slots=True)
class Manner:
    """How a person differs from others.

    `reaction`: seconds from a prompt until the person acts on it. `turn`: degrees of a turn.
    `speed`: radians a second, see `motion.SPEED`. `damping`: below 1 the head overshoots, on the
    way back as well. `swing`: goes from one side straight to the other. `blink_interval`: seconds
    between blinks that come by themselves. `rest_yaw`: degrees turned away while at rest.
    `wrong_turns`: so many of the first turns go to the wrong side at first.
    """

    reaction: float = 0.5
    turn: float = 28.0
    speed: float = SPEED
    damping: float = 1.0
    swing: bool = False
    blink_interval: float = 4.0
    rest_yaw: float = 0.0
    wrong_turns: int = 0


OVERSHOOTING = Manner(damping=0.45)
SWINGING = Manner(swing=True)
BLINKING = Manner(blink_interval=0.9)
SLOW = Manner(reaction=1.2, speed=4.0)
TURNED_AWAY = Manner(rest_yaw=8.0)
CONFUSED = Manner(wrong_turns=1)
LOST = Manner(wrong_turns=2)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the person has understood: the challenge, and how often they were sent to it."""

    step: int = 0
    challenge: Challenge = Challenge.FRONT
    hint: Hint | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Prompt":
        """Read a state message; raises `ValueError` for names that are not ours."""
        hint = state.get("hint")
        return cls(
            int(state["step"]), Challenge(state["challenge"]), None if hint is None else Hint(hint)
        )

    def same_task(self, other: "Prompt") -> bool:
        """Whether only the hint differs."""
        return (self.step, self.challenge) == (other.step, other.challenge)


class Puppet:
    """A `Source` that shows `portrait` and reacts to states; no two of its frames are alike.

    The same `seed` and the same states at the same times give the same frames. A pose is rendered
    when it is first seen (10 ms); `warm_up` does that ahead, once for all puppets of a portrait.
    """

    def __init__(
        self,
        portrait: Portrait,
        manner: Manner | None = None,
        *,
        noise: float = NOISE,
        seed: int = 0,
    ) -> None:
        self.manner = manner or Manner()
        self.poses = portrait.poses
        self.shown = (0.0, 0.0)
        """Ground truth of the newest frame: yaw in degrees from how the portrait was photographed,
        and closure of both lids, 0..1."""
        self._random = random = Random(seed)  # noqa: S311 - movements, no secrets
        self._sensor = Sensor(portrait.size, noise, seed=seed)
        self._sway = sway(random, portrait.size)
        self._lids = Lids(random, self.manner.blink_interval)
        self._head = Spring(
            self.manner.rest_yaw, damping=self.manner.damping, speed=self.manner.speed
        )
        self._heard: deque[Prompt] = deque()
        self._coming: deque[tuple[float, Prompt]] = deque()
        self._task = Task(Prompt())
        self._wrong_turns = self.manner.wrong_turns

    @property
    def yaw(self) -> float:
        """Where the head is: degrees from how the portrait was photographed."""
        return self._head.position

    def warm_up(self) -> None:
        """Render ahead what a session needs, about half a second of work."""
        self.poses.warm_up(self.manner.rest_yaw)

    def react(self, state: Mapping[str, Any]) -> None:
        """Hear a state message; the person acts on it `manner.reaction` seconds later."""
        self._heard.append(Prompt.of(state))

    def frame(self, time: float) -> Picture:
        """Show the person at `time`, seconds since the start, which only grows."""
        self._perceive(time)
        turn = self._task.turn(time, self._head)
        yaw = self._head.move(time, self.manner.rest_yaw + turn)
        if self._task.wants_blink(time, self._head):
            self._lids.blink(time)
        self.shown = self.poses.nearest(yaw, self._lids.closure(time))
        scene = self.poses.scene(*self.shown)
        return self._sensor.expose(shifted(scene, *self._sway(time)))

    def _perceive(self, time: float) -> None:
        """Understand what was heard `reaction` seconds ago."""
        while self._heard:
            self._coming.append((time + self.manner.reaction, self._heard.popleft()))
        while self._coming and self._coming[0][0] <= time:
            _, prompt = self._coming.popleft()
            if prompt.same_task(self._task.prompt):
                self._task.prompt = prompt
            else:
                self._begin(prompt, time)

    def _begin(self, prompt: Prompt, time: float) -> None:
        wrong = self._wrong_turns > 0 and prompt.challenge in SIDE
        self._wrong_turns -= wrong
        self._task = Task(
            prompt,
            turn=self.manner.turn * self._random.uniform(0.9, 1.1),
            swing=self.manner.swing,
            wrong_until=time + WRONG_TURN_SECONDS if wrong else time,
        )


class Task:
    """What the person does about one prompt."""

    def __init__(
        self, prompt: Prompt, *, turn: float = 0.0, swing: bool = False, wrong_until: float = 0.0
    ) -> None:
        self.prompt = prompt
        self._turn = turn
        self._swing = swing
        self._wrong_until = wrong_until
        self._was_straight = swing
        self._arrived: float | None = None
        self._next_blink = 0.0

    def turn(self, time: float, head: Spring) -> float:
        """Where the head should be now: degrees from rest. `head` is where it is."""
        side = SIDE.get(self.prompt.challenge)
        if side is None:
            return 0.0
        if time < self._wrong_until:
            return -side * self._turn
        if not self._swing and self.prompt.hint is Hint.LOOK_STRAIGHT:
            return 0.0
        if not self._was_straight:
            self._was_straight = head.settled and time > self._wrong_until
            return 0.0
        self._turn_further(time, head)
        return side * self._turn

    def _turn_further(self, time: float, head: Spring) -> None:
        """Turn more when the end of the turn was not enough."""
        if self.prompt.hint is not Hint.TURN_MORE or not head.settled:
            self._arrived = None
        elif self._arrived is None:
            self._arrived = time
        elif time - self._arrived > TURN_MORE_PATIENCE:
            self._turn = min(self._turn + TURN_MORE_STEP, MOST_TURN)
            self._arrived = None

    def wants_blink(self, time: float, head: Spring) -> bool:
        """Whether to blink now because it was asked; again and again until it was seen."""
        if self.prompt.challenge is not Challenge.BLINK or not head.settled:
            return False
        if time < self._next_blink:
            return False
        self._next_blink = time + BLINK_PAUSE
        return True
