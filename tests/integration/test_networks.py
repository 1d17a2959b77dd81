"""Servers behind NAT and firewalls, and people who are reached through a relay only."""

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from aiohttp import ClientResponse
from aioice import stun
from aioice.turn import create_turn_endpoint

from liveness.rtc.servers import IceServers
from liveness.testing.fixtures import ServerFactory
from liveness.testing.puppet import Puppet
from tests.integration.plain import (
    LOOPBACK,
    Plain,
    bearer,
    create,
    post,
    publish,
    reach,
    serving,
)
from tests.turn_server import RELAY_PORTS, SECRET, TurnServer

PUBLIC = "127.0.0.2"


def free_ports(count: int) -> range:
    """Find neighbouring UDP ports that are free, below those that the system gives away."""
    while True:
        first = random.randrange(20_000, 30_000)
        ports = range(first, first + count)
        try:
            for port in ports:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((LOOPBACK, port))
        except OSError:
            continue
        return ports


def in_use(ports: range) -> set[int]:
    """Which of the ports this process has sockets on."""
    connections = psutil.Process().net_connections("udp")
    return {each.laddr.port for each in connections} & set(ports)


def candidates(response_text: str) -> list[tuple[str, int, str]]:
    """Address, port and type of the candidates of the first media section."""
    section = response_text.split("m=")[1]
    found = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (\w+)", section)
    return [(host, int(port), kind) for host, port, kind in found]


async def test_a_person_who_is_reached_by_a_relay_only_passes(
    liveness_servers: ServerFactory, turn_server: TurnServer, puppet: Puppet
) -> None:
    server = await liveness_servers(ice_server=(turn_server.url,), turn_secret=SECRET)
    check = await server.check(puppet, relay_only=True)
    assert check.verdict.verdict == "live", check.verdict
    allocations = re.findall(
        rf"user <\d+:{check.session}>: incoming packet ALLOCATE processed, success", turn_server.log
    )
    assert len(allocations) >= 2  # one for each section of the offer, and one of the server
    assert SECRET not in repr(server.settings)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_relays_of_this_server_are_told(turn_server: TurnServer, transport: str) -> None:
    ports = free_ports(4)
    options: dict[str, Any] = {"udp_ports": f"{ports[0]}-{ports[-1]}", "public_ip": (PUBLIC,)}
    url = f"{turn_server.url}?transport={transport}"
    async with serving(ice_server=(url,), turn_secret=SECRET, **options) as client:
        peer = Plain()
        response = await post(client, await create(client), await peer.offer())
        answer = await response.text()
        (host, host_port, _), (relay, relay_port, _) = found = candidates(answer)
        assert [kind for _, _, kind in found] == ["host", "relay"]
        assert (host, relay) == (PUBLIC, LOOPBACK)
        assert host_port in ports
        assert relay_port in RELAY_PORTS
        assert "raddr 0.0.0.0 rport 9" in answer
        await peer.close()
    assert not in_use(ports)


@pytest.mark.parametrize(
    ("secret", "seconds", "welcome"), [(SECRET, 60, True), (SECRET, -1, False), ("no", 60, False)]
)
async def test_credentials_end(
    turn_server: TurnServer, secret: str, seconds: float, *, welcome: bool
) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    (server,) = IceServers.of([turn_server.url], secret).issue("somebody", expires)
    allocating = create_turn_endpoint(
        asyncio.DatagramProtocol, (LOOPBACK, turn_server.port), server.username, server.credential
    )
    if welcome:
        transport, _ = await allocating
        assert transport.get_extra_info("sockname")[1] in RELAY_PORTS
        await transport._close()  # noqa: SLF001 - the only one that can be waited for
        return
    with pytest.raises(stun.TransactionFailed) as refused:
        await allocating
    assert refused.value.response.error_code == 401


async def test_each_session_has_credentials_of_its_own(
    turn_server: TurnServer, capfd: pytest.CaptureFixture[str]
) -> None:
    servers = (turn_server.url.replace("turn:", "stun:"), turn_server.url)
    async with serving(ice_server=servers, turn_secret=SECRET, time_limit=100) as client:
        assert "Link" not in (await client.options("/whip")).headers
        wrong = {"Authorization": "Bearer wrong"}
        assert "Link" not in (await client.options("/whip", headers=wrong)).headers
        credentials = set()
        for session in (await create(client), await create(client)):
            response = await client.options("/whip", headers=bearer(session))
            expires, name, credential = turn_credentials(response)
            left = expires - datetime.now(UTC).timestamp()
            assert 100 + 290 < left <= 100 + 300
            assert name == session["id"]
            assert response.headers["Cache-Control"] == "no-store"
            credentials.add(credential)
        peer = await publish(client, session)
        await client.delete(f"/whip/{session['id']}", headers=bearer(session))
        await peer.close()
        response = await client.options("/whip", headers=bearer(session))
        assert (response.status, "Link" in response.headers) == (204, False)
    assert len(credentials) == 2
    told = "".join(capfd.readouterr())
    assert not any(each in told for each in (SECRET, *credentials))


def turn_credentials(response: ClientResponse) -> tuple[int, str, str]:
    """Until when, for whom, and the proof of it."""
    (link,) = [each for each in response.headers.getall("Link") if "turn:" in each]
    found = re.search(r'username="(\d+):([^"]+)"; credential="([^"]+)"', link)
    assert found
    return int(found[1]), found[2], found[3]


async def test_media_keeps_to_the_ports_until_none_is_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ports = free_ports(2)
    span = f"{ports[0]}-{ports[-1]}"
    async with serving(udp_ports=span) as client:
        sessions = [await create(client) for _ in range(3)]
        peers = [await publish(client, session) for session in sessions[:2]]
        for session in sessions[:2]:
            await reach(client, session, "running")
        assert in_use(ports) == set(ports)
        waiting = Plain()
        offer = await waiting.offer()
        response = await post(client, sessions[2], offer)
        assert response.status == 503
        assert (await response.json())["code"] == "ports_exhausted"
        assert int(response.headers["Retry-After"]) > 0
        assert span in "".join(capfd.readouterr())
        await client.delete(f"/whip/{sessions[0]['id']}", headers=bearer(sessions[0]))
        response = await post(client, sessions[2], offer)
        assert response.status == 201
        await waiting.accept(await response.text())
        await reach(client, sessions[2], "running")
        for peer in (*peers, waiting):
            await peer.close()
    assert not in_use(ports)


async def test_an_unbundled_offer_that_found_some_ports_leaves_none_in_use() -> None:
    ports = free_ports(2)
    async with serving(udp_ports=f"{ports[0]}-{ports[-1]}") as client:
        peer = Plain()
        offer = re.sub(r"a=group:BUNDLE.*\r\n", "", await peer.offer(audio=True, videos=2))
        for _ in range(3):
            assert (await post(client, await create(client), offer)).status == 503
            assert not in_use(ports)
        await peer.close()


class Forward(asyncio.DatagramProtocol):
    """One port of a NAT: what comes to the public address goes in, what comes back goes out."""

    def __init__(self, private: tuple[str, int]) -> None:
        self._private = private
        self._outside: Any = None
        self._peer: Any = None
        self.forwarded = 0

    async def open(self, public: str) -> None:
        loop = asyncio.get_running_loop()
        self._outside, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(public, self._private[1])
        )

        class Inside(asyncio.DatagramProtocol):
            def datagram_received(_, data: bytes, __: Any) -> None:  # noqa: N805 - `self` is outside
                self._outside.sendto(data, self._peer)

        self._inside, _ = await loop.create_datagram_endpoint(Inside, remote_addr=self._private)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._peer = address
        self.forwarded += 1
        self._inside.sendto(data)

    def close(self) -> None:
        self._inside.close()
        self._outside.close()


@asynccontextmanager
async def nat(ports: range) -> AsyncIterator[list[Forward]]:
    """Forward the ports of `PUBLIC` to those of `LOOPBACK`."""
    forwards = [Forward((LOOPBACK, port)) for port in ports]
    for each in forwards:
        await each.open(PUBLIC)
    try:
        yield forwards
    finally:
        for each in forwards:
            each.close()


async def test_a_server_behind_nat_is_reached_by_its_public_address() -> None:
    ports = free_ports(4)
    options = {"udp_ports": f"{ports[0]}-{ports[-1]}", "public_ip": (PUBLIC,)}
    async with nat(ports) as forwards, serving(**options) as client:
        session, peer = await create(client), Plain()
        # The server is told of no candidate, so that all it knows of the peer comes by the NAT.
        offer = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", await peer.offer())
        response = await post(client, session, offer)
        answer = await response.text()
        assert {(host, kind) for host, _, kind in candidates(answer)} == {(PUBLIC, "host")}
        assert f"c=IN IP4 {PUBLIC}" in answer
        assert LOOPBACK not in answer
        await peer.accept(answer)
        await reach(client, session, "running")
        assert sum(each.forwarded for each in forwards) > 10
        await peer.close()
