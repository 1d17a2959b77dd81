import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.plain import Plain, create, post, publish, reach, serving

WITHIN = 5.0
"""Seconds in which a peer that is no more has to be cleaned up."""

SLACK = 0.7
"""Seconds for a busy machine, and for two looks at the session."""


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving() as client:
        yield client


async def reasons(client: ClientSession, session: dict[str, Any]) -> list[str]:
    verdict = (await reach(client, session, "finished", WITHIN + SLACK))["verdict"]
    assert verdict["verdict"] == "incomplete"
    found: list[str] = verdict["reasons"]
    return found


def vanish(peer: Plain) -> None:
    """Cut the network: sockets are gone and nobody is told, which no public method does."""
    for transceiver in peer.pc.getTransceivers():
        connection = transceiver.sender.transport.transport.iceGatherer._connection  # noqa: SLF001
        for protocol in connection._protocols:  # noqa: SLF001
            protocol.transport.abort()


async def test_a_peer_that_never_connects(client: ClientSession) -> None:
    session, peer = await create(client), Plain()
    assert (await post(client, session, await peer.offer())).status == 201
    assert await reasons(client, session) == ["never_connected"]
    await peer.close()


async def test_a_peer_that_leaves(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    left = time.monotonic()
    await peer.close()
    assert await reasons(client, session) == ["peer_left"]
    assert time.monotonic() - left < 1


async def test_a_peer_that_vanishes(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    vanish(peer)
    assert await reasons(client, session) == ["peer_left"]
    await peer.close()


async def test_a_peer_that_stops_sending(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    peer.picture.running.clear()
    assert await reasons(client, session) == ["no_media"]
    await asyncio.wait_for(peer.closed.wait(), 2)
    await peer.close()


async def test_a_peer_that_sends_nothing_at_all(client: ClientSession) -> None:
    session, peer = await create(client), Plain()
    peer.picture.running.clear()
    response = await post(client, session, await peer.offer())
    await peer.accept(await response.text())
    await reach(client, session, "connected")
    assert await reasons(client, session) == ["no_media"]
    await peer.close()


async def test_a_pause_is_forgiven(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    peer.picture.running.clear()
    await asyncio.sleep(3.7)
    peer.picture.running.set()
    await asyncio.sleep(4)
    await reach(client, session, "running")
    await peer.close()


async def test_the_verdict_is_kept_before_it_is_sent() -> None:
    async with serving(time_limit=1) as client:
        session = await create(client)
        peer = await publish(client, session)
        while "verdict" not in (message := json.loads(await peer.messages.get())):
            assert message["type"] == "state"
        shown = await reach(client, session, "finished", 0.5)
        assert message.pop("type") == "verdict"
        assert message == shown["verdict"]
        assert message["reasons"] == ["time_limit"]
        assert 1 <= message["frames"] / message["frame_rate"] < 1.5
        assert message["challenges"][0]["challenge"] == "front"
        await asyncio.wait_for(peer.closed.wait(), 2)
        await peer.close()


async def test_pings_are_answered_and_the_rest_is_ignored(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    assert peer.channel is not None
    for text in ("", "{", "[]", '{"type":"unknown"}', "x" * 10_000, b"\xff", '{"type":"ping"}'):
        peer.channel.send(text)
    pongs = 0
    async with asyncio.timeout(1):
        while not pongs:
            pongs += json.loads(await peer.messages.get()) == {"type": "pong"}
    await peer.close()


async def test_states_follow_the_video(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    states = [json.loads(await asyncio.wait_for(peer.messages.get(), 3)) for _ in range(6)]
    assert all(state["type"] == "state" for state in states)
    assert states[0] | {"time": 0} == {
        "type": "state",
        "frame": 0,
        "time": 0,
        "step": 0,
        "steps": 4,
        "challenge": "front",
        "progress": 0,
        "hint": "no_face",
        "face": None,
        "faces": 0,
        "spoof_score": None,
    }
    times = [state["time"] for state in states]
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) <= 0.5
    assert min(gaps) > 0
    await peer.close()
