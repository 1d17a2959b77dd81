"""What anybody may send to a port of a running session."""
# ruff: noqa: SLF001 - aioice has no public names for what is looked at

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest_asyncio
from aioice import Candidate, Connection, stun
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveness.rtc.guard import guard

LOOPBACK = "127.0.0.1"
ANYBODY = (LOOPBACK, 9)


async def _gathered(*, controlling: bool) -> Connection:
    connection = Connection(ice_controlling=controlling)
    gather = connection.get_component_candidates

    async def on_loopback(
        component: int,
        addresses: list[str],  # noqa: ARG001 - aioice's choice
        timeout: int = 5,  # noqa: ASYNC109 - aioice's
    ) -> list[Candidate]:
        return await gather(component, [LOOPBACK], timeout)

    connection.get_component_candidates = on_loopback  # type: ignore[method-assign]
    await connection.gather_candidates()
    return connection


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[Connection, Connection]]:
    """Two ends that are connected; the first is guarded."""
    ours, theirs = [await _gathered(controlling=each) for each in (False, True)]
    guard(ours)
    for one, other in ((ours, theirs), (theirs, ours)):
        one.remote_username, one.remote_password = other.local_username, other.local_password
        for candidate in other.local_candidates:
            await one.add_remote_candidate(Candidate.from_sdp(candidate.to_sdp()))
        await one.add_remote_candidate(None)
    await asyncio.gather(ours.connect(), theirs.connect())
    yield ours, theirs
    await asyncio.gather(ours.close(), theirs.close())


async def test_the_peer_is_heard_and_nobody_else(pair: tuple[Connection, Connection]) -> None:
    ours, theirs = pair
    place = ours.local_candidates[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in (b"", b"\x16from a stranger", b"\x80from a stranger", b"\xff", b"\x01"):
            stranger.sendto(data, (place.host, place.port))
        await asyncio.sleep(0.1)
    for data in (b"\x16DTLS", b"\x80RTP"):
        await theirs.send(data)
    await theirs.send(b"\xffneither")
    await theirs.send(b"\x81last")
    assert [await ours.recv() for _ in range(3)] == [b"\x16DTLS", b"\x80RTP", b"\x81last"]


async def test_what_came_too_early_is_forgotten() -> None:
    connection = await _gathered(controlling=False)
    connection.data_received(b"\x16early", 1)
    guard(connection)
    assert connection._queue.empty()
    await connection.close()


def _message(attributes: list[tuple[int, bytes]], length: int | None) -> bytes:
    body = b"".join(
        struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in attributes
    )
    head = struct.pack("!HHI", 1, len(body) if length is None else length, stun.COOKIE)
    return head + bytes(12) + body


_ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from(sorted(stun.ATTRIBUTES_BY_TYPE)), st.binary(max_size=12)), max_size=4
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=80), st.builds(_message, _ATTRIBUTES, st.none())))
def test_no_datagram_of_a_stranger_raises_anything(data: bytes) -> None:
    async def receive() -> None:
        connection = await _gathered(controlling=False)
        try:
            guard(connection)
            connection._protocols[0].datagram_received(data, ANYBODY)
            assert connection._queue.empty()
        finally:
            await connection.close()

    asyncio.run(receive())
