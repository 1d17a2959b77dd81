"""No attacker comes out live, over WebRTC."""

import asyncio

from liveness.challenge.names import Challenge
from liveness.testing.attackers import (
    EmptyRoom,
    LoopedRecording,
    StillPhoto,
    TwoFaces,
    WavedPrint,
)
from liveness.testing.fixtures import ServerFactory
from liveness.testing.portrait import Portrait
from liveness.verdict import Reason

TIME_LIMIT = 8.0
"""Seconds: a person would be through."""


async def test_pictures_do_not_pass(liveness_servers: ServerFactory, portrait: Portrait) -> None:
    server = await liveness_servers(time_limit=TIME_LIMIT)
    checks = await asyncio.gather(
        server.check(StillPhoto(portrait)),
        server.check(WavedPrint(portrait)),
        server.check(WavedPrint(portrait, bend=60)),
    )
    for check in checks:
        assert check.verdict.verdict != "live", check.verdict
        assert check.verdict.challenges[0].passed, "the face in the picture was not even seen"


async def test_two_faces_and_no_face_do_not_get_past_front(
    liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(time_limit=3)
    two, none = await asyncio.gather(
        server.check(TwoFaces.of(portrait.size)), server.check(EmptyRoom(portrait.size))
    )
    assert two.states[-1].hint == "many_faces"
    assert none.states[-1].hint == "no_face"
    for check in (two, none):
        assert check.verdict.verdict == "incomplete"
        assert set(check.challenges) == {"front"}


async def test_a_looped_recording_fails_where_its_order_is_another(
    liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(time_limit=20)
    order = (Challenge.FRONT, Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK)
    recording = await asyncio.to_thread(LoopedRecording.of, portrait, order)
    check = await server.check(recording, challenges=["front", "left", "blink", "right"])
    assert check.verdict.verdict != "live", check.verdict
    wrong = {Reason.WRONG_MOVES, Reason.REPEATED_VIDEO}  # whichever it does first
    assert wrong.intersection(check.verdict.reasons)
