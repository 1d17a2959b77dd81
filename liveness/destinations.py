"""Where this server may connect to when others decide what a name stands for.

What is checked is the very address that a connection is made to, each time one is made: a name that
stands for another address a moment later (DNS rebinding) leads nowhere else.
"""

import socket
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings are read by processes that need no HTTP client
    from aiohttp import AddrInfoType

Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
"""Its last four bytes are an IPv4 address (RFC 6052)."""

METADATA = frozenset(
    map(
        ip_address,
        ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Where Azure, Alibaba, Oracle, AWS and Google tell machines about themselves, and their secrets,
beside 169.254.169.254, which is link-local."""


class DestinationRefused(OSError):  # noqa: N818 - reads better where it is raised
    """An address that this server must not connect to."""


def is_allowed(address: Address, *, private: bool = False) -> bool:
    """Tell whether an address belongs to the public internet.

    `private`: one of a private network, or of this machine, will do as well. Link-local ones,
    `METADATA` and multicast never do.
    """
    address = _embedded(address)
    if address.is_loopback:  # which is reserved too, in IPv6
        return private
    never = (
        address in METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )
    public = address.is_global and not (isinstance(address, IPv6Address) and address.is_site_local)
    return not never and (private or public)


def _embedded(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def guarded(*, private: bool) -> Callable[["AddrInfoType"], socket.socket]:
    """Make a `socket_factory` for aiohttp that raises `DestinationRefused`; see `is_allowed`."""
    return partial(_socket, private)


def _socket(private: bool, info: "AddrInfoType") -> socket.socket:  # noqa: FBT001 - see `guarded`
    family, kind, protocol, _, (host, *_) = info
    if not isinstance(host, str) or not is_allowed(ip_address(host), private=private):
        raise DestinationRefused("its address is private, or of no use outside")
    return socket.socket(family, kind, protocol)
