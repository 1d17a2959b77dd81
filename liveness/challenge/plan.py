"""Which challenges a session asks, in which order."""

import random
import secrets
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from liveness.challenge.names import Challenge

LEAST_STEPS = 4
MOST_STEPS = 8
MOST_CHALLENGES = 16
"""Longest explicit list: two minutes, the default time limit, hold no more."""

_MOVES = (Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK)


class Order(StrEnum):
    """How the steps after `front` are ordered: drawn for each session, or as in the seed."""

    RANDOM = "random"
    FIXED = "fixed"


class Plan:
    """Draws the steps of a session, and draws them anew when it starts over."""

    def __init__(
        self,
        challenges: Sequence[Challenge] | None = None,
        *,
        steps: int = LEAST_STEPS,
        order: Order = Order.RANDOM,
        generator: random.Random | None = None,
    ) -> None:
        """Plan an explicit list, or `steps` drawn ones.

        An explicit list is run as given, with `front` first: baselines need it. `generator` is
        cryptographic unless a test or a measurement passes a seeded one. Raises `ValueError` for an
        empty or overlong list, and for a number of steps that cannot be drawn.
        """
        if challenges is not None and not 0 < len(challenges) <= MOST_CHALLENGES:
            raise ValueError(f"a session asks 1 to {MOST_CHALLENGES} challenges")
        if not LEAST_STEPS <= steps <= MOST_STEPS:
            raise ValueError(f"a session has {LEAST_STEPS} to {MOST_STEPS} steps")
        self._explicit = None if challenges is None else _front_first(challenges)
        self._further = steps - LEAST_STEPS
        self._order = order
        self._generator = generator or secrets.SystemRandom()

    def draw(self) -> tuple[Challenge, ...]:
        """The steps of one run: `front`, then each move at least once and none twice in a row."""
        if self._explicit is not None:
            return self._explicit
        if self._order is Order.FIXED:
            cycle = _MOVES * (1 + self._further)
            return (Challenge.FRONT, *cycle[: len(_MOVES) + self._further])
        while True:
            moves = [*_MOVES, *self._generator.choices(_MOVES, k=self._further)]
            self._generator.shuffle(moves)
            if all(one is not other for one, other in pairwise(moves)):
                return (Challenge.FRONT, *moves)


def _front_first(challenges: Sequence[Challenge]) -> tuple[Challenge, ...]:
    if challenges[0] is Challenge.FRONT:
        return tuple(challenges)
    return (Challenge.FRONT, *challenges)
