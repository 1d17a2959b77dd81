"""Webhooks as they are configured: whose verdicts go where, and how they are signed.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com), which has libraries
that check them in most languages.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from liveness.apikeys import DEFAULT_NAME
from liveness.destinations import is_allowed
from liveness.links import checked_link

PREFIX = "whsec_"
"""Of a secret; what follows is base64."""

LEAST_SECRET, MOST_SECRET = 24, 64
"""Bytes, as the standard asks."""

_NAME = r"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})=)?"
_NAMED_URL = re.compile(rf"{_NAME}(?P<value>https?://\S+)")
_NAMED_SECRET = re.compile(rf"{_NAME}(?P<value>{PREFIX}\S+)")


@dataclass(frozen=True, slots=True)
class Url:
    """An address, and the name of the API key whose verdicts go there."""

    name: str
    url: str = field(repr=False)  # some carry a secret of their own

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[NAME=]URL`; raises `ValueError`."""
        match = _NAMED_URL.fullmatch(text)
        if match is None:
            raise ValueError("[NAME=]https://... is needed")
        return cls(match["name"] or DEFAULT_NAME, checked_link(match["value"]))


@dataclass(frozen=True, slots=True)
class Secret:
    """What both sides sign and check with, and the name of the API key that it belongs to."""

    name: str
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[NAME=]whsec_BASE64`; raises `ValueError`, which does not repeat it."""
        match = _NAMED_SECRET.fullmatch(text)
        try:
            secret = base64.b64decode(match["value"].removeprefix(PREFIX)) if match else b""
        except binascii.Error:
            secret = b""
        if match is None or not LEAST_SECRET <= len(secret) <= MOST_SECRET:
            raise ValueError(
                f"a secret is {PREFIX} and {LEAST_SECRET} to {MOST_SECRET} random bytes in base64: "
                f"echo {PREFIX}$(openssl rand -base64 32)"
            )
        return cls(match["name"] or DEFAULT_NAME, secret)


@dataclass(frozen=True, slots=True)
class Hook:
    """Where the verdicts of one relying party go; each of its secrets signs them."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)

    def headers(self, event: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Sign `body`; `event` names it, `timestamp` is now, Unix time in seconds."""
        signed = f"{event}.{timestamp}.".encode() + body
        digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in self.secrets)
        return {
            "webhook-id": event,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                f"v1,{base64.b64encode(digest).decode()}" for digest in digests
            ),
        }


def combine(urls: Iterable[Url], secrets: Iterable[Secret], *, private: bool) -> dict[str, Hook]:
    """Put together what belongs to each name; raises `ValueError`.

    `private`: addresses of private networks and of this machine will do.
    """
    known: dict[str, list[bytes]] = {}
    for each in secrets:
        known.setdefault(each.name, []).append(each.secret)
    hooks: dict[str, Hook] = {}
    for url in urls:
        _check(url, private=private)
        if url.name in hooks:
            raise ValueError(f"--webhook: {url.name} has two addresses")
        if url.name not in known:
            raise ValueError(f"--webhook: {url.name} has no --webhook-secret")
        hooks[url.name] = Hook(url.name, url.url, tuple(known[url.name]))
    if lonely := sorted(known.keys() - hooks.keys()):
        raise ValueError(f"--webhook-secret: {lonely[0]} has no --webhook")
    return hooks


def read_secrets(path: Path) -> list[Secret]:
    """Read a file of secrets, one a line; `#` begins a comment. Raises `OSError`, `ValueError`."""
    with path.open(encoding="ascii") as file:
        if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
            raise ValueError(f"{path} is open to everybody: say chmod 600")
        lines = [line.strip() for line in file]
    return [Secret.parse(line) for line in lines if line and not line.startswith("#")]


def _check(url: Url, *, private: bool) -> None:
    """Refuse what can be refused before a connection is made."""
    parts = urlsplit(url.url)
    try:
        address = ip_address(parts.hostname or "")
    except ValueError:  # a name: looked at whenever it is connected to
        here, allowed = parts.hostname == "localhost", True
    else:
        here, allowed = address.is_loopback, is_allowed(address, private=private)
    if parts.scheme == "http" and not (private and here):
        raise ValueError("--webhook: http is for this machine only, with --webhook-allow-private")
    if not allowed:
        raise ValueError(
            f"--webhook: {url.name} is at a private address, see --webhook-allow-private"
        )
