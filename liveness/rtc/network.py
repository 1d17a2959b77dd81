"""Where media is received: addresses and ports of this machine, and what peers are told of them."""

import asyncio
import copy
import errno
import random
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from aioice import Candidate, Connection, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, get_host_addresses, server_reflexive_candidate
from aioice.turn import UDP_SOCKET_BUFFER_SIZE
from aiortc import RTCPeerConnection

from liveness.errors import PortsExhausted
from liveness.rtc.guard import guard
from liveness.rtc.ice import LOOPBACK, connections

FIRST_PORT = 1024
"""Those below belong to the system (RFC 6335 section 6)."""

LAST_PORT = 65535

MOST_TRIES = 1024
"""Ports tried for one socket, 2 ms of work: a range of up to as many is tried whole, and of a
larger one, of which a hundredth is free, a free one is missed once in 30,000 times."""

RETRY_AFTER = 10
"""Seconds after which a port may be free again: about what a session takes."""

GATHERING_LIMIT = 2
"""Seconds that STUN and TURN servers have to answer: TURN over TLS takes five round trips. The
answer to an offer waits for them, and they may be down."""

_HIDDEN = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - said to peers, not bound to
_HIDDEN_PORT = 9
"""What stands for a related address that is not told (RFC 8839 section 5.1)."""

log = structlog.get_logger(__name__)

Gather = Callable[[int, list[str], int], Awaitable[list[Candidate]]]


def parse_ports(text: str) -> range:
    """Read `FIRST-LAST`, both of them part of it; raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if match is None:
        raise ValueError("expected FIRST-LAST, such as 40000-40999")
    first, last = int(match[1]), int(match[2])
    if not FIRST_PORT <= first <= last <= LAST_PORT:
        raise ValueError(f"expected {FIRST_PORT} <= FIRST <= LAST <= {LAST_PORT}")
    return range(first, last + 1)


def parse_public(text: str) -> IPv4Address | IPv6Address:
    """Read an address at which a machine can be reached; raises `ValueError`."""
    address = ip_address(text)
    if address.is_unspecified or address.is_multicast:
        raise ValueError("expected the address of a machine")
    return address


@dataclass(frozen=True, slots=True)
class Network:
    """What a peer connection may use of the network.

    `addresses`: host candidates are gathered on these only; without any it is aioice's choice,
    every address but loopback, save on a machine that has no other: there loopback is better than
    no candidate at all. `ports`: sockets are bound to one of these, else to any. `public`: one
    address of a version, under which others reach this machine (1:1 NAT): peers are told of it and
    not of those behind it.
    """

    addresses: Sequence[str] = ()
    ports: range | None = None
    public: Sequence[str] = ()

    def prepare(self, connection: RTCPeerConnection) -> None:
        """Have a connection keep to it; call it before candidates are gathered.

        Gathering raises `PortsExhausted` where every port is taken; the connection has to be closed
        then.
        """
        addresses = list(self.addresses)
        if not addresses and not get_host_addresses(use_ipv4=True, use_ipv6=True):
            addresses = [LOOPBACK]
        for ice in connections(connection):
            # aioice has no way to choose addresses or ports, and this is all that binds sockets.
            gather = partial(self._gather, ice, ice.get_component_candidates, addresses)
            ice.get_component_candidates = gather  # type: ignore[method-assign] # of this one alone

    async def _gather(
        self,
        ice: Connection,
        gather: Gather,
        chosen: list[str],
        component: int,
        addresses: list[str],
    ) -> list[Candidate]:
        addresses = chosen or addresses
        if self.ports is None:
            candidates = await gather(component, addresses, GATHERING_LIMIT)
        else:
            candidates = await self._gather_on_ports(ice, gather, component, addresses)
        guard(ice)
        return [self.told(candidate) for candidate in candidates]

    async def _gather_on_ports(
        self, ice: Connection, gather: Gather, component: int, addresses: list[str]
    ) -> list[Candidate]:
        """Do what aioice does, with sockets of ours; relays it gathers itself."""
        hosts = []
        for address in addresses:
            try:
                bound = free_socket(address, self.ports or range(0))
            except OSError as error:  # as aioice: the address has gone, or is of no use
                log.info("address not used", address=address, error=str(error))
                continue
            hosts.append(await _listen(ice, component, bound))
        reflexive = (_reflexive(host, ice.stun_server) for host in hosts)
        relays, *others = await asyncio.gather(gather(component, [], GATHERING_LIMIT), *reflexive)
        return [host.local_candidate for host in hosts] + sum(others, relays)

    def told(self, candidate: Candidate) -> Candidate:
        """Say what peers are told of a candidate: nothing that is behind the public address."""
        version = ip_address(candidate.host).version
        public = next((each for each in self.public if ip_address(each).version == version), None)
        if public is None:
            return candidate
        told = copy.copy(candidate)  # the socket goes on with its own
        if told.type == "host":
            told.host = public
        else:
            told.related_address, told.related_port = _HIDDEN[version], _HIDDEN_PORT
        # aioice's is a hash of the address behind.
        told.foundation = candidate_foundation(told.type, told.transport, told.host)
        return told


def free_socket(address: str, ports: range) -> socket.socket:
    """Bind a UDP socket to a port of the range that is free, drawn at random.

    Processes that share a range do not know of each other: what is free is found by trying.
    Raises `PortsExhausted`, and `OSError` where the address cannot be bound to.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as unless_found:
        bound = unless_found.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        for port in random.sample(ports, min(len(ports), MOST_TRIES)):
            if _takes(bound, address, port):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
                unless_found.pop_all()
                return bound
    span = f"{ports[0]}-{ports[-1]}"
    log.warning("no free UDP port: sessions are turned away", address=address, ports=span)
    raise PortsExhausted(retry_after=RETRY_AFTER)


def _takes(bound: socket.socket, address: str, port: int) -> bool:
    try:
        bound.bind((address, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


async def _listen(ice: Connection, component: int, bound: socket.socket) -> StunProtocol:
    """Receive on a socket as aioice does; the connection closes it."""
    host, port = bound.getsockname()[:2]

    def protocol() -> StunProtocol:
        made = StunProtocol(ice)
        made.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=port,
            type="host",
        )
        return made

    loop = asyncio.get_running_loop()
    _, listening = await loop.create_datagram_endpoint(protocol, sock=bound)
    ice._protocols.append(listening)  # noqa: SLF001 - where aioice keeps what it closes
    return listening


async def _reflexive(host: StunProtocol, server: tuple[str, int] | None) -> list[Candidate]:
    """Ask a STUN server how it sees a socket; none where there is no answer. IPv4, as aioice."""
    if server is None or ":" in host.local_candidate.host:
        return []
    try:
        async with asyncio.timeout(GATHERING_LIMIT):
            candidate, _ = await server_reflexive_candidate(host, server)
    except (OSError, stun.TransactionError) as error:
        log.info("no answer from the STUN server", error=str(error))
        return []
    return [candidate]
