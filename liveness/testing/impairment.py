"""A bad network between a peer and a server: packets lost, late, out of order, twice, cut off.

It is a UDP relay with a socket for each of the two, named in their offer and answer in place of
themselves. Unlike the kernel's netem it needs no privileges.
"""

import asyncio
import re
from dataclasses import dataclass
from random import Random
from typing import Any, Self

from liveness.rtc.ice import LOOPBACK

REORDERING = 0.02
"""Seconds for which some packets are held back: the next ones overtake them."""

SWING = (0.02, 0.15)
"""Seconds from one change of the jitter to the next."""

_CANDIDATE = re.compile(r"^(a=candidate:\S+ 1 udp \d+) (\S+) (\d+) (typ host.*)$", re.MULTILINE)
_CANDIDATES = re.compile(r"^a=candidate:.*$\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Impairment:
    """What befalls packets, in both directions.

    Shares of packets: `loss`; `duplicated`; `reordered`, that others overtake. `delay`: seconds
    that each takes; `jitter`: up to so many more, in order, as queues do. The same `seed` gives
    packet after packet the same fate.
    """

    loss: float = 0.0
    duplicated: float = 0.0
    reordered: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    seed: int = 0


class ImpairedLink:
    """The way of one peer, while it is entered; `sent`, `lost`: packets so far, both ways."""

    def __init__(self, impairment: Impairment) -> None:
        self._impairment = impairment
        self._cut_until = 0.0
        self._sides: list[_Side] = []
        self.sent = 0
        self.lost = 0

    async def __aenter__(self) -> Self:
        for _ in ("the peer's", "the server's"):
            endpoint = asyncio.get_running_loop().create_datagram_endpoint
            _, side = await endpoint(lambda: _Side(self), local_addr=(LOOPBACK, 0))
            self._sides.append(side)
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in self._sides:
            side.close()

    def offered(self, sdp: str) -> str:
        """The offer as the server is to see it."""
        return self._between(sdp, self._sides[0], self._sides[1])

    def answered(self, sdp: str) -> str:
        """The answer as the peer is to see it."""
        return self._between(sdp, self._sides[1], self._sides[0])

    def cut(self, seconds: float) -> None:
        """Let nothing through from now on for so long."""
        self._cut_until = asyncio.get_running_loop().time() + seconds

    def take(self, data: bytes, side: "_Side", random: Random) -> None:
        """Have a packet that came in at `side` come out at the other one, or not at all."""
        given, loop = self._impairment, asyncio.get_running_loop()
        self.sent += 1
        # All three are drawn for each packet: its fate hangs on none before it.
        lost, reordered, duplicated = (
            random.random() < share for share in (given.loss, given.reordered, given.duplicated)
        )
        if lost or loop.time() < self._cut_until:
            self.lost += 1
            return
        out = self._sides[1 - self._sides.index(side)]
        due = side.due(given.delay, given.jitter) + REORDERING * reordered
        loop.call_at(due, out.send, data)
        if duplicated:
            loop.call_at(due + REORDERING, out.send, data)

    @property
    def seed(self) -> int:
        """What the fate of packets is drawn from."""
        return self._impairment.seed

    def _between(self, sdp: str, near: "_Side", far: "_Side") -> str:
        """Note where who wrote `sdp` is, and name `far` in its place."""
        match = _CANDIDATE.search(sdp)
        if match is None:
            raise ValueError("no host candidate to stand for")
        near.party = match[2], int(match[3])
        host, port = far.address
        candidate = f"{match[1]} {host} {port} {match[4]}\n"
        head, tail = sdp[: match.start()], sdp[match.start() :]
        return head + candidate + _CANDIDATES.sub("", tail)


class _Side(asyncio.DatagramProtocol):
    """The socket that stands for one party's counterpart; `party`: where that party is."""

    def __init__(self, link: ImpairedLink) -> None:
        self._link = link
        self._random = Random(link.seed)  # noqa: S311 - repeatable
        # Jitter changes with the clock, which must not touch what is drawn for packets.
        self._swings = Random(link.seed)  # noqa: S311 - repeatable
        self._transport: Any = None
        self._last = self._change = self._late = 0.0
        self.party: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it receives."""
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, _: tuple[str | Any, int]) -> None:
        self._link.take(data, self, self._random)

    def due(self, delay: float, jitter: float) -> float:
        """When a packet that comes in now has made its way, after all that came before."""
        now = asyncio.get_running_loop().time()
        if now > self._change:
            self._change = now + self._swings.uniform(*SWING)
            self._late = delay + jitter * self._swings.random()
        self._last = max(self._last + 1e-6, now + self._late)  # timers of one moment have no order
        return self._last

    def send(self, data: bytes) -> None:
        """Give a packet to the party."""
        if self.party is not None and not self._transport.is_closing():
            self._transport.sendto(data, self.party)

    def close(self) -> None:
        """Receive no more."""
        self._transport.close()
