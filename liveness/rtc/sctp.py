"""The data channel's way up where packets get lost: what aiortc 1.16 does otherwise than SCTP."""

from aiortc import rtcsctptransport
from aiortc.rtcsctptransport import Chunk, InitChunk, RTCSctpTransport, serialize_packet

INITIAL_TIMEOUT = 1.0
"""Seconds until an INIT is repeated (RFC 9260 section 16), of which aiortc makes the three of
RFC 4960: a person would wait that long for the first prompt."""

_send_as_it_is = RTCSctpTransport._send_chunk  # noqa: SLF001 - no public place for it


async def _send_chunk(transport: RTCSctpTransport, chunk: Chunk) -> None:
    """Send an INIT with the tag 0, also when it is repeated (RFC 9260 section 8.5.1).

    With the tag of a peer whose own INIT has come, as aiortc repeats it, it is ignored: where both
    answers were lost there would never be a channel.
    """
    if not isinstance(chunk, InitChunk):
        await _send_as_it_is(transport, chunk)
        return
    ports = transport._local_port, transport._remote_port  # noqa: SLF001
    packet = serialize_packet(ports[0], ports[1] or 0, 0, chunk)
    await transport.transport._send_data(packet)  # noqa: SLF001


def mend() -> None:
    """Have all connections do so from now on."""
    setattr(RTCSctpTransport, "_send_chunk", _send_chunk)  # noqa: B010 - no public place for it
    rtcsctptransport.SCTP_RTO_INITIAL = INITIAL_TIMEOUT
