"""The ICE connections below a peer connection, and whether the peer is still there."""

import asyncio

from aioice import Connection, stun
from aiortc import RTCPeerConnection

LOOPBACK = "127.0.0.1"


async def answers(connection: RTCPeerConnection, seconds: float) -> bool:
    """Ask the peer for a sign of life (the consent check of RFC 7675), once, within `seconds`.

    aioice asks by itself, but only tells after six failures in a row, half a minute later.
    """
    for ice in connections(connection):
        pair = next(iter(ice._nominated.values()), None)  # noqa: SLF001 - no public name for it
        if pair is None or ice.remote_password is None:
            continue
        try:
            async with asyncio.timeout(seconds):
                await pair.protocol.request(
                    ice.build_request(pair, nominate=False),
                    pair.remote_addr,
                    integrity_key=ice.remote_password.encode(),
                )
        except (stun.TransactionError, TimeoutError):
            continue
        return True
    return False


def connections(connection: RTCPeerConnection) -> list[Connection]:
    """Find the aioice connections below; a bundled peer has one."""
    transports = [each.receiver.transport for each in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    gatherers = {id(each): each.transport.iceGatherer for each in transports}
    return [each._connection for each in gatherers.values()]  # noqa: SLF001 - aiortc hides it
