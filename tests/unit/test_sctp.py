# ruff: noqa: SLF001 - what is sent is looked at from inside

from typing import Any

from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import CookieEchoChunk, InitChunk, parse_packet

from liveness.rtc.sctp import INITIAL_TIMEOUT, mend


async def test_an_init_has_the_tag_zero_whenever_it_is_sent() -> None:
    mend()
    peer = RTCPeerConnection()
    peer.createDataChannel("liveness")
    sctp: Any = peer.sctp
    assert sctp._rto == INITIAL_TIMEOUT
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    sctp.transport._send_data = send
    sctp._remote_port, sctp._remote_verification_tag = 5000, 1234  # the peer's own INIT has come
    for chunk in (InitChunk(), CookieEchoChunk()):
        await sctp._send_chunk(chunk)
    tags = [parse_packet(data)[2] for data in sent]
    assert tags == [0, 1234]
    await peer.close()
