"""What a bad network does to sessions: people pass all the same, and attacks do not."""

import asyncio
import time

import pytest_asyncio
from aiohttp import ClientSession

from liveness.challenge.names import Challenge
from liveness.testing.attackers import LoopedRecording, WavedPrint
from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.testing.impairment import ImpairedLink, Impairment
from liveness.testing.peer import Check, HeadlessPeer, Scene
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.verdict import Reason
from tests.integration.plain import show

FRONT, RIGHT, LEFT, BLINK = Challenge

NEAR = 0.02
"""Seconds one way: what comes back from a server in the same country takes twice that."""

LOSS = Impairment(loss=0.05, delay=NEAR, seed=1)
JITTER = Impairment(jitter=0.2, delay=NEAR, seed=2)
DISORDER = Impairment(reordered=0.1, duplicated=0.05, delay=NEAR, seed=3)
ALL = Impairment(loss=0.05, jitter=0.2, reordered=0.05, duplicated=0.02, delay=NEAR, seed=4)

GAP = 2.0  # seconds
TIME_LIMIT = 40  # seconds; all of a check takes 5 to 8 on a good network
TOO_SLOW = 20.0  # seconds


@pytest_asyncio.fixture
async def server(liveness_servers: ServerFactory) -> LivenessServer:
    return await liveness_servers(time_limit=TIME_LIMIT, most_load=0)


async def check(
    server: LivenessServer,
    scene: Scene,
    impairment: Impairment,
    *,
    gap: float = 0.0,
    codec: str = "VP8",
    challenges: tuple[str, ...] | None = None,
) -> Check:
    """Check a person, or an attack, over a bad network; the gap comes with the second step."""
    async with (
        ImpairedLink(impairment) as link,
        HeadlessPeer(server.url, scene, link=link, codec=codec, challenges=challenges) as peer,
    ):
        checking = asyncio.create_task(peer.check())
        while gap and not checking.done():
            await asyncio.sleep(0.02)
            if peer.states and peer.states[-1].step == 1:
                link.cut(gap)
                break
        done = await checking
        verdict = done.verdict
    seconds = verdict.frames / verdict.frame_rate if verdict.frame_rate else 0.0
    name = type(scene).__name__
    print(
        f"{name}, {codec}, {impairment}, gap of {gap:g} s: {verdict.verdict} "
        f"{[*map(str, verdict.reasons)]} after {seconds:.1f} s; {done.sent} frames sent, "
        f"{verdict.frames} measured; {link.lost} of {link.sent} packets lost"
    )
    return done


async def test_people_pass(server: LivenessServer, portrait: Portrait) -> None:
    conditions = (
        ((LOSS, 0.0, "VP8"), (LOSS, 0.0, "H264")),
        ((JITTER, 0.0, "VP8"), (DISORDER, 0.0, "VP8")),
        ((Impairment(delay=NEAR), GAP, "VP8"), (ALL, GAP, "VP8")),
    )
    for pair in conditions:
        checks = (
            check(server, Puppet(portrait), impairment, gap=gap, codec=codec)
            for impairment, gap, codec in pair
        )
        for done in await asyncio.gather(*checks):
            assert done.verdict.verdict == "live", done.verdict
            assert done.verdict.frames / done.verdict.frame_rate < TOO_SLOW


async def test_attacks_do_not_pass(liveness_servers: ServerFactory, portrait: Portrait) -> None:
    server = await liveness_servers(time_limit=8, most_load=0)
    order = ("front", "right", "blink", "left")
    attacks = (
        LoopedRecording.of(portrait, [FRONT, LEFT, BLINK, RIGHT]),
        WavedPrint(portrait),
    )
    checks = (check(server, each, ALL, gap=GAP, challenges=order) for each in attacks)
    for done in await asyncio.gather(*checks):
        assert done.verdict.verdict != "live", done.verdict
        assert not {Reason.SERVER_LOST, Reason.NO_MEDIA} & set(done.verdict.reasons)


async def test_a_network_that_does_not_come_back_is_told(
    liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(most_load=0)
    async with (
        ImpairedLink(Impairment()) as link,
        HeadlessPeer(server.url, Puppet(portrait), link=link) as peer,
        ClientSession(server.url) as client,
    ):
        while not peer.states:  # noqa: ASYNC110 - what is waited for is a message
            await asyncio.sleep(0.02)
        link.cut(60)
        began = time.monotonic()
        session = {"id": peer.session, "token": peer.token}
        while (verdict := (await show(client, session))["verdict"]) is None:  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.05)
    print(f"noticed after {time.monotonic() - began:.1f} s")
    assert (verdict["verdict"], verdict["reasons"]) == ("incomplete", ["peer_left"])
