import asyncio
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import psutil
import pytest
from aioice import Candidate, stun
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from liveness.errors import PortsExhausted
from liveness.rtc import network
from liveness.rtc.network import MOST_TRIES, Network, free_socket, parse_ports, parse_public

LOOPBACK = "127.0.0.1"
ANY = "0.0.0.0"  # noqa: S104 - read and told, not bound to


@given(st.integers(1024, 65535), st.integers(1024, 65535))
def test_ranges_include_both_ends(one: int, other: int) -> None:
    first, last = sorted((one, other))
    ports = parse_ports(f"{first}-{last}")
    assert (ports[0], ports[-1], len(ports)) == (first, last, last - first + 1)
    if first < last:
        with pytest.raises(ValueError, match="FIRST"):
            parse_ports(f"{last}-{first}")


@given(st.text(max_size=12) | st.from_regex(r"\d{1,6}-\d{1,6}", fullmatch=True))
def test_any_text_is_a_range_of_free_ports_or_refused(text: str) -> None:
    try:
        ports = parse_ports(text)
    except ValueError:
        return
    assert 1024 <= ports[0] <= ports[-1] <= 65535


@pytest.mark.parametrize(
    "text", ["", "40000", "40000-", "1023-2000", "40000-65536", "-1-5", "٤٠٠٠٠-٤٠٠٠١"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="FIRST"):
        parse_ports(text)


@pytest.mark.parametrize("text", [ANY, "::", "224.0.0.1", "ff02::1", "host", "1.2.3.4/24"])
def test_what_is_no_public_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"address"):
        parse_public(text)


def candidate(kind: str, host: str, related: str | None) -> Candidate:
    port = None if related is None else 5000
    return Candidate("hash", 1, "udp", 1, host, 4000, kind, related, port)


kinds = st.sampled_from(["host", "srflx", "relay"])


@given(kinds, st.ip_addresses(), st.lists(st.ip_addresses(), max_size=1), st.ip_addresses())
def test_peers_are_told_of_nothing_behind_a_public_address(
    kind: str, host: object, public: list[object], private: object
) -> None:
    related = None if kind == "host" else str(private)
    local = candidate(kind, str(host), related)
    told = Network(public=[str(each) for each in public]).told(local)
    assert (local.host, local.related_address) == (str(host), related)
    assert (told.type, told.port, told.priority) == (kind, 4000, 1)
    version = ip_address(local.host).version
    if not any(ip_address(str(each)).version == version for each in public):
        assert told is local
    elif kind == "host":
        assert (told.host, told.related_address) == (str(public[0]), None)
        assert told.foundation != "hash"
    else:
        assert told.host == str(host)
        assert (told.related_address, told.related_port) == ({4: ANY, 6: "::"}[version], 9)
        assert told.foundation != "hash"


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 0))
        yield other


def test_a_port_that_is_taken_is_passed_over(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    ports = range(port - 3, port + 4)
    bound = [free_socket(LOOPBACK, ports) for _ in range(3)]
    found = {each.getsockname()[1] for each in bound}
    for each in bound:
        each.close()
    assert len(found) == 3
    assert found <= set(ports) - {port}


def test_no_port_is_left(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with pytest.raises(PortsExhausted) as caught:
        free_socket(LOOPBACK, range(port, port + 1))
    assert int(caught.value.headers["Retry-After"]) > 0


def test_a_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    class Taken(socket.socket):
        def bind(self, address: object) -> None:
            tried.append(address)
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket, "socket", Taken)
    with pytest.raises(PortsExhausted):
        free_socket(LOOPBACK, range(1024, 65536))
    assert len(set(tried)) == MOST_TRIES


def test_an_address_of_another_machine_is_no_lack_of_ports() -> None:
    with pytest.raises(OSError, match="assign"):
        free_socket("192.0.2.1", range(40000, 40100))


async def gathered(
    where: Network, *servers: RTCIceServer
) -> tuple[str, list[RTCIceCandidate], set[tuple[str, int]]]:
    """Gather; give the description, its candidates, and the sockets that were open."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=list(servers)))
    connection.createDataChannel("any")
    before = sockets()
    where.prepare(connection)
    try:
        await connection.setLocalDescription(await connection.createOffer())
        opened = sockets() - before
    finally:
        await connection.close()
    assert sockets() == before
    sdp = connection.localDescription.sdp
    media = SessionDescription.parse(sdp).media[0]
    return sdp, media.ice_candidates, opened


def sockets() -> set[tuple[str, int]]:
    """The UDP sockets of this process."""
    return {tuple(each.laddr) for each in psutil.Process().net_connections("udp")}


async def test_candidates_are_gathered_on_these_addresses_only() -> None:
    _, found, _ = await gathered(Network([LOOPBACK]))
    assert {each.ip for each in found} == {LOOPBACK}


async def test_a_machine_without_a_network_has_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "get_host_addresses", lambda **_: [])
    _, found, _ = await gathered(Network())
    assert {each.ip for each in found} == {LOOPBACK}


async def test_sockets_are_bound_to_the_ports_and_closed() -> None:
    ports = range(43000, 43100)
    addresses = [LOOPBACK, "127.0.0.2", "192.0.2.1"]  # the last is not this machine's
    _, found, opened = await gathered(Network(addresses, ports))
    assert {(each.ip, each.port) for each in found} == opened
    assert sorted(host for host, _ in opened) == [LOOPBACK, "127.0.0.2"]
    assert {port for _, port in opened} <= set(ports)
    assert all(each.type == "host" and each.component == 1 for each in found)


async def test_aioice_and_this_server_say_the_same_of_a_socket() -> None:
    _, (ours,), _ = await gathered(Network([LOOPBACK], range(43000, 43100)))
    _, (theirs,), _ = await gathered(Network([LOOPBACK]))
    ours.port = theirs.port
    assert ours == theirs


async def test_ipv6_has_ports_as_well() -> None:
    _, found, opened = await gathered(Network(["::1"], range(43000, 43100)))
    if not found:
        pytest.skip("no IPv6 on this machine")
    ((host, port),) = opened
    assert (host, port in range(43000, 43100)) == ("::1", True)


async def test_sockets_found_before_the_ports_ran_out_are_closed(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with pytest.raises(PortsExhausted):
        await gathered(Network(["127.0.0.2", LOOPBACK], range(port, port + 1)))


async def test_a_description_tells_of_the_public_address_only() -> None:
    public = ["198.51.100.7"]
    for ports in (None, range(43000, 43100)):
        sdp, found, opened = await gathered(Network([LOOPBACK], ports, public))
        assert {(each.ip, each.port) for each in found} == {
            ("198.51.100.7", port) for _, port in opened
        }
        assert "c=IN IP4 198.51.100.7" in sdp
        assert LOOPBACK not in sdp


class StunServer(asyncio.DatagramProtocol):
    """Tells everybody that they come from 198.51.100.8:4000."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, asked.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = ("198.51.100.8", 4000)
        self.transport.sendto(bytes(response), address)


async def test_a_stun_server_is_asked_from_the_ports() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=(LOOPBACK, 0))
    server = RTCIceServer(f"stun:{LOOPBACK}:{transport.get_extra_info('sockname')[1]}")
    where = Network([LOOPBACK], range(43000, 43100), ["198.51.100.7"])
    sdp, found, _ = await gathered(where, server)
    transport.close()
    assert [(each.type, each.ip) for each in found] == [
        ("host", "198.51.100.7"),
        ("srflx", "198.51.100.8"),
    ]
    assert found[1].port == 4000
    assert (found[1].relatedAddress, found[1].relatedPort) == (ANY, 9)
    assert LOOPBACK not in sdp


@pytest.mark.parametrize("kind", ["stun", "turn"])
@pytest.mark.parametrize("ports", [None, range(43000, 43100)])
async def test_a_server_that_is_silent_is_given_up(
    monkeypatch: pytest.MonkeyPatch, kind: str, ports: range | None
) -> None:
    monkeypatch.setattr(network, "GATHERING_LIMIT", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        url = f"{kind}:{LOOPBACK}:{silent.getsockname()[1]}"
        _, found, _ = await gathered(Network([LOOPBACK], ports), RTCIceServer(url, "u", "c"))
    assert [each.type for each in found] == ["host"]
