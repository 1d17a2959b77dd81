"""ICE servers, STUN and TURN: how they are named, and what gets somebody in for a while."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from aiortc import RTCIceServer

CREDENTIAL_MARGIN = timedelta(minutes=5)
"""How long credentials are good beyond the time of a session's video: for whoever has yet to
connect, and for a TURN server whose clock is not quite ours."""

_URL = re.compile(
    r"^(?P<scheme>stuns?|turns?):(?:(?P<user>[^:@\s]+):(?P<password>[^@\s]+)@)?"
    r"(?P<place>(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?)"
    r"(?P<query>\?transport=(?:udp|tcp))?$"
)


def parse_ice_server(url: str) -> RTCIceServer:
    """Read `stun:host[:port]` or `turn:[user:password@]host[:port][?transport=udp]`.

    The credentials inside the URL are this server's own notation; RFC 7065 has no place for them.
    Raises `ValueError`.
    """
    match = _URL.match(url)
    if match is None:
        raise ValueError("expected stun:HOST[:PORT] or turn:[USER:PASSWORD@]HOST[:PORT]")
    relay = match["scheme"].startswith("turn")
    if match["user"] and not relay:
        raise ValueError("a STUN server takes no USER:PASSWORD@")
    if match["query"] and not relay:
        raise ValueError("a STUN server takes no transport")
    return RTCIceServer(
        urls=f"{match['scheme']}:{match['place']}{match['query'] or ''}",
        username=match["user"],
        credential=match["password"],
    )


def takes_secret(server: RTCIceServer) -> bool:
    """Tell whether credentials for this server have to be made from a secret shared with it."""
    return str(server.urls).startswith("turn") and server.username is None


def read_secret(path: Path) -> str:
    """Read the secret that a file holds; raises `OSError`, `ValueError`."""
    secret = path.read_text().strip()
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret


@dataclass(frozen=True, slots=True)
class IceServers:
    """The servers; `secret` is shared with those that bring no credentials of their own."""

    servers: tuple[RTCIceServer, ...] = ()
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, urls: Iterable[str], secret: str | None) -> Self:
        """Read the URLs; raises `ValueError`."""
        return cls(tuple(parse_ice_server(url) for url in urls), secret)

    def issue(self, name: str, expires: datetime) -> list[RTCIceServer]:
        """Give `name` what it needs to use them, until it `expires`; nothing of it is kept.

        The credentials are those of draft-uberti-behave-turn-rest-00 section 2.2, which coturn
        checks with `use-auth-secret`: a username that says until when, and its HMAC-SHA1.
        """
        username = f"{int(expires.timestamp())}:{name}"
        key = (self.secret or "").encode()
        proof = hmac.digest(key, username.encode(), hashlib.sha1)
        credential = base64.b64encode(proof).decode()
        return [
            RTCIceServer(each.urls, username, credential) if takes_secret(each) else each
            for each in self.servers
        ]


def readable(servers: Iterable[RTCIceServer]) -> list[RTCIceServer]:
    """Leave out what aiortc would refuse a peer over: it knows no IPv6 addresses in URLs."""
    return [each for each in servers if "[" not in each.urls]


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
