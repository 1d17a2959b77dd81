"""Genuine people come out live, over WebRTC, whatever is asked of them."""

import asyncio
from itertools import permutations

import pytest

from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.testing.peer import Check
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import (
    BLINKING,
    CONFUSED,
    LOST,
    OVERSHOOTING,
    SLOW,
    SWINGING,
    Manner,
    Puppet,
)
from liveness.verdict import Reason

ORDERS = list(permutations(("right", "left", "blink")))
SLOWEST = 12.0
"""Seconds in which a person who reacts within half a second has to be through: half of that on a
machine that can render three of them at full rate."""


def seconds(check: Check) -> float:
    return check.verdict.frames / check.verdict.frame_rate


@pytest.mark.parametrize("orders", [ORDERS[:3], ORDERS[3:]], ids=["three orders", "the others"])
async def test_people_pass_in_any_order(
    orders: list[tuple[str, ...]], liveness_server: LivenessServer, portrait: Portrait
) -> None:
    checks = await asyncio.gather(
        *(
            liveness_server.check(Puppet(portrait, seed=seed), challenges=["front", *order])
            for seed, order in enumerate(orders)
        )
    )
    for check, order in zip(checks, orders, strict=True):
        assert check.verdict.verdict == "live", check.verdict
        assert check.challenges == ("front", *order)
        assert seconds(check) < SLOWEST


async def test_people_pass_in_the_order_that_the_server_draws(
    liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(steps=6)
    checks = await asyncio.gather(*(server.check(Puppet(portrait, seed=seed)) for seed in range(3)))
    for check in checks:
        assert check.verdict.verdict == "live", check.verdict
        assert len(check.challenges) == 6
        assert {"right", "left", "blink"} < set(check.challenges)


@pytest.mark.parametrize(
    "manners",
    [(OVERSHOOTING, SWINGING, BLINKING), (SLOW, Manner(rest_yaw=-8))],
    ids=["overshooting, swinging, blinking", "slow, turned away"],
)
async def test_people_differ_and_are_not_sent_back(
    manners: tuple[Manner, ...], liveness_server: LivenessServer, portrait: Portrait
) -> None:
    checks = await asyncio.gather(
        *(liveness_server.check(Puppet(portrait, manner)) for manner in manners)
    )
    for check in checks:
        assert check.verdict.verdict == "live", check.verdict
        assert len(check.challenges) == 4


async def test_wrong_turns_void_what_has_passed(
    liveness_server: LivenessServer, portrait: Portrait
) -> None:
    confused, lost = await asyncio.gather(
        liveness_server.check(Puppet(portrait, CONFUSED)),
        liveness_server.check(Puppet(portrait, LOST)),
    )
    assert confused.challenges[1:].count("front") == 1
    assert confused.verdict.verdict == "live", confused.verdict
    assert lost.verdict.verdict == "incomplete"
    assert lost.verdict.reasons == (Reason.WRONG_MOVES,)
