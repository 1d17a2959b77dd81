"""Keeps what anybody can send to a UDP port away from what only the peer should reach.

aioice hands on every datagram, whoever sent it, and aiortc takes each for the peer's: an empty one
ends the connection, and one with the first byte of DTLS ends a handshake under way. aioice reads
STUN before it knows who sent it: what is malformed makes a traceback in the log.
"""

import struct
from collections.abc import Callable
from typing import Any

from aioice import Connection
from aioice.ice import StunProtocol

_MEDIA = frozenset((*range(20, 64), *range(128, 192)))
"""First bytes of DTLS, RTP and RTCP (RFC 7983 section 7)."""

_LAST_OF_STUN = 3

Received = Callable[[bytes, tuple[Any, ...]], None]


def guard(ice: Connection) -> None:
    """Have a connection take datagrams of its peer only; when it has gathered its candidates."""
    ice.data_received = _taking_media(ice)  # type: ignore[assignment,method-assign]
    for protocol in ice._protocols:  # noqa: SLF001 - no public name for it
        protocol.datagram_received = _taking(ice, protocol)  # type: ignore[assignment,method-assign]
    while not ice._queue.empty():  # noqa: SLF001 - from before the peer knew where to send it
        ice._queue.get_nowait()  # noqa: SLF001


def _taking_media(ice: Connection) -> Callable[[bytes, int], None]:
    received = ice.data_received

    def take(data: bytes, component: int) -> None:
        if data[0] in _MEDIA:  # and not what was meant to be STUN
            received(data, component)

    return take


def _taking(ice: Connection, protocol: StunProtocol) -> Received:
    received: Received = protocol.datagram_received

    def take(data: bytes, addr: tuple[Any, ...]) -> None:
        # Checks of an address come before anything else, and make it the peer's.
        if not data or (data[0] > _LAST_OF_STUN and not _is_peer(ice, addr[:2])):
            return
        try:
            received(data, addr)
        except struct.error:  # of STUN, an attribute of the wrong length
            return

    return take


def _is_peer(ice: Connection, address: tuple[Any, ...]) -> bool:
    """Whether somebody who knows the session's ICE password has said that they are there."""
    return any(pair.remote_addr == address for pair in ice._check_list)  # noqa: SLF001 - as above
