import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from aiohttp import ClientConnectorError, ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from liveness.destinations import DestinationRefused, guarded, is_allowed

PUBLIC = ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1"),
    *("::1", "fd12::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
    "2002:7f00:1::1",
]
NEVER = [
    *("0.0.0.0", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"),  # noqa: S104
    *("224.0.0.1", "255.255.255.255", "240.0.0.1"),
    *("::", "fe80::1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254"),
    *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::7f00:1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_allowed(address: str) -> None:
    assert is_allowed(ip_address(address))
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_only_when_that_is_said(address: str) -> None:
    assert not is_allowed(ip_address(address))
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", NEVER)
def test_what_tells_secrets_or_is_nobody_never(address: str) -> None:
    assert not is_allowed(ip_address(address))
    assert not is_allowed(ip_address(address), private=True)


@given(st.ip_addresses(v=4))
def test_an_address_is_no_more_allowed_inside_another(address: IPv4Address) -> None:
    nat64, mapped = IPv6Address("64:ff9b::"), IPv6Address("::ffff:0:0")
    for outer in (IPv6Address(int(nat64) + int(address)), IPv6Address(int(mapped) + int(address))):
        for private in (False, True):
            assert is_allowed(outer, private=private) == is_allowed(address, private=private)


class Rebinding(AbstractResolver):
    """A name that stands for another address each time."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


async def taken(_: web.Request) -> web.Response:
    return web.Response()


async def test_the_address_that_is_connected_to_is_the_one_that_is_checked() -> None:
    app = web.Application()
    app.router.add_get("/", taken)
    async with TestServer(app, host="127.0.0.1") as server:
        resolver = Rebinding("127.0.0.1", "169.254.169.254", "127.0.0.1")
        connector = TCPConnector(
            resolver=resolver, use_dns_cache=False, socket_factory=guarded(private=True)
        )
        async with ClientSession(connector=connector) as client:
            url, headers = f"http://bank.example:{server.port}/", {"Connection": "close"}
            async with client.get(url, headers=headers) as answer:
                assert answer.status == 200
            with pytest.raises(ClientConnectorError) as refused:
                await client.get(url, headers=headers)
            assert isinstance(refused.value.os_error, DestinationRefused)
            async with client.get(url, headers=headers) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
async def test_this_machine_is_not_reached_by_any_of_its_names(host: str) -> None:
    reached = asyncio.Event()
    server = await asyncio.start_server(lambda *_: reached.set(), host=None, port=0)
    port = server.sockets[0].getsockname()[1]
    connector = TCPConnector(socket_factory=guarded(private=False))
    async with server, ClientSession(connector=connector) as client:
        with pytest.raises(ClientConnectorError) as refused:
            await client.get(f"http://{host}:{port}/")
        assert isinstance(refused.value.os_error, DestinationRefused)
    assert not reached.is_set()
