import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from liveness.testing.impairment import ImpairedLink, Impairment

HOST = "127.0.0.1"
PACKETS = 200


class Party:
    """One that sends to what it was told is the other."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)  # noqa: FBT003 - as it is named

    def sdp(self) -> str:
        port = self.socket.getsockname()[1]
        return (
            f"v=0\r\na=candidate:1 1 udp 2130706431 {HOST} {port} typ host\r\n"
            f"a=candidate:2 1 udp 1 10.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
        )

    def heard(self) -> list[int]:
        out = []
        while True:
            try:
                out.append(int(self.socket.recv(100)))
            except BlockingIOError:
                return out


@pytest_asyncio.fixture
async def parties() -> AsyncIterator[tuple[Party, Party]]:
    both = Party(), Party()
    yield both
    for each in both:
        each.socket.close()


async def through(
    parties: tuple[Party, Party], impairment: Impairment, cut: float = 0
) -> list[int]:
    """Send packets from the peer to the server; gives what arrives."""
    peer, server = parties
    async with ImpairedLink(impairment) as link:
        link.offered(peer.sdp())
        answer = link.answered(server.sdp())
        assert "10.0.0.1" not in answer
        port = int(answer.split(f"{HOST} ")[1].split()[0])
        link.cut(cut)
        for number in range(PACKETS):
            peer.socket.sendto(str(number).encode(), (HOST, port))
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0.1)
        assert link.sent == PACKETS
        return server.heard()


async def test_nothing_befalls_packets_by_itself(parties: tuple[Party, Party]) -> None:
    assert await through(parties, Impairment(jitter=0.02)) == list(range(PACKETS))


async def test_the_same_packets_are_lost_each_time(parties: tuple[Party, Party]) -> None:
    first = await through(parties, Impairment(loss=0.2, seed=7))
    assert 0.7 * PACKETS < len(first) < 0.9 * PACKETS
    assert await through(parties, Impairment(loss=0.2, jitter=0.05, seed=7)) == first


async def test_packets_come_twice_and_out_of_order(parties: tuple[Party, Party]) -> None:
    heard = await through(parties, Impairment(duplicated=0.2, reordered=0.2))
    assert set(heard) == set(range(PACKETS))
    assert len(heard) > 1.1 * PACKETS
    assert heard != sorted(heard)


async def test_nothing_comes_through_a_cut(parties: tuple[Party, Party]) -> None:
    assert await through(parties, Impairment(), cut=60) == []


async def test_somebody_without_candidates_cannot_be_stood_for() -> None:
    async with ImpairedLink(Impairment()) as link:
        with pytest.raises(ValueError, match="no host candidate"):
            link.offered("v=0\r\n")
