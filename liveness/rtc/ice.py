"""ICE: which addresses take media, which servers help, and whether a peer is still there."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from aioice import Candidate, Connection, stun
from aioice.ice import get_host_addresses
from aiortc import RTCIceServer, RTCPeerConnection

LOOPBACK = "127.0.0.1"

_URL = re.compile(
    r"^(?P<scheme>stuns?|turns?):(?:(?P<user>[^:@\s]+):(?P<password>[^@\s]+)@)?"
    r"(?P<place>(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?)"
    r"(?P<query>\?transport=(?:udp|tcp))?$"
)


def parse_ice_server(url: str) -> RTCIceServer:
    """Read `stun:host[:port]` or `turn:user:password@host[:port][?transport=udp]`.

    The credentials inside the URL are this server's own notation; RFC 7065 has no place for them.
    Raises `ValueError`.
    """
    match = _URL.match(url)
    if match is None:
        raise ValueError("expected stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT]")
    relay = match["scheme"].startswith("turn")
    if relay != (match["user"] is not None):
        raise ValueError("a TURN server needs USER:PASSWORD@, a STUN server takes none")
    if match["query"] and not relay:
        raise ValueError("a STUN server takes no transport")
    return RTCIceServer(
        urls=f"{match['scheme']}:{match['place']}{match['query'] or ''}",
        username=match["user"],
        credential=match["password"],
    )


def link_headers(servers: Iterable[RTCIceServer]) -> list[str]:
    """Tell clients of the ICE servers (RFC 9725 section 4.6): one `Link` value each."""
    links = []
    for server in servers:
        link = f'<{server.urls}>; rel="ice-server"'
        if server.username is not None:
            link += f'; username="{_quoted(server.username)}"'
            link += f'; credential="{_quoted(server.credential or "")}"'
            link += '; credential-type="password"'
        links.append(link)
    return links


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def restrict(connection: RTCPeerConnection, addresses: Sequence[str]) -> None:
    """Gather host candidates on these addresses only; call it before candidates are gathered.

    Without addresses it leaves aioice's choice alone, every address but loopback, save on a
    machine that has no other: there loopback is better than no candidate at all.
    """
    if not addresses:
        if get_host_addresses(use_ipv4=True, use_ipv6=True):
            return
        addresses = [LOOPBACK]
    for ice in _connections(connection):
        gather = partial(_candidates_on, ice.get_component_candidates, list(addresses))
        ice.get_component_candidates = gather  # type: ignore[method-assign] # of this one alone


async def _candidates_on(
    gather: Callable[[int, list[str]], Awaitable[list[Candidate]]],
    chosen: list[str],
    component: int,
    addresses: list[str],  # noqa: ARG001 - aioice's own choice, which `chosen` replaces
) -> list[Candidate]:
    return await gather(component, chosen)


async def answers(connection: RTCPeerConnection, seconds: float) -> bool:
    """Ask the peer for a sign of life (the consent check of RFC 7675), once, within `seconds`.

    aioice asks by itself, but only tells after six failures in a row, half a minute later.
    """
    for ice in _connections(connection):
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


def _connections(connection: RTCPeerConnection) -> list[Connection]:
    """Find the aioice connections below; a bundled peer has one."""
    transports = [each.receiver.transport for each in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    gatherers = {id(each): each.transport.iceGatherer for each in transports}
    return [each._connection for each in gatherers.values()]  # noqa: SLF001 - aiortc hides it
