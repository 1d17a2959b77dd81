"""What every surface does with requests: bodies of bounded size, tokens, keys, addresses."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from yarl import URL

from liveness.apikeys import ApiKeys
from liveness.errors import (
    InvalidBody,
    RequestError,
    Timeout,
    TooLarge,
    Unauthorized,
    WrongType,
)
from liveness.registry import Registry
from liveness.settings import Settings
from liveness.store import Store

API_KEYS = web.AppKey("api_keys", ApiKeys)
REGISTRY = web.AppKey("registry", Registry)
SETTINGS = web.AppKey("settings", Settings)
STORE = web.AppKey("store", Store)

BODY_TIMEOUT = 10.0
"""Seconds a client may take to send what it announced."""


async def read_body(
    request: web.Request,
    limit: int,
    within: float = BODY_TIMEOUT,
    hold: Callable[[int], None] = lambda _size: None,
) -> bytes:
    """Read a body of at most `limit` bytes, sent `within` seconds; raises `RequestError`s.

    `hold`: told the size of each part that has come; it may raise errors of its own.
    """
    if (request.content_length or 0) > limit:
        raise TooLarge(f"At most {limit} bytes are taken")
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                hold(len(chunk))
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"At most {limit} bytes are taken")
    except TimeoutError:
        raise Timeout from None
    except ConnectionError:
        raise Timeout("Whoever sent it is gone") from None
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise InvalidBody("The body is not sent as its headers say") from error
    return bytes(body)


async def read_text(request: web.Request, limit: int) -> str:
    """Read a body of UTF-8 text, at most `limit` bytes; raises `RequestError`s."""
    try:
        return (await read_body(request, limit)).decode()
    except UnicodeDecodeError:
        raise InvalidBody("The body is not UTF-8") from None


def expect_type(request: web.Request, expected: str) -> None:
    """Refuse another content type; raises `WrongType`."""
    if hdrs.CONTENT_TYPE not in request.headers or request.content_type != expected:
        raise WrongType(f"Expected {expected}")


def bearer(request: web.Request) -> str:
    """Read the bearer token (RFC 6750 section 2.1); raises `Unauthorized`."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthorized
    return token


def relying_party(request: web.Request) -> str | None:
    """Name the relying party that a request comes from by its API key.

    None where the server has no keys, and serves everybody; raises `Unauthorized`.
    """
    keys = request.app[API_KEYS]
    if not keys:
        return None
    name = keys.name_of(bearer(request))
    if name is None:
        raise Unauthorized("The API key is unknown")
    return name


def address(request: web.Request) -> str:
    """Tell the address that a request came from.

    Behind proxies it is the last one in X-Forwarded-For that none of them has: what stands before
    that may have been written by anybody.
    """
    settings = request.app[SETTINGS]
    found = _unmapped(request.remote or "")
    told = ",".join(request.headers.getall("X-Forwarded-For", ()) if settings.http else ())
    for each in reversed(told.split(",")):
        try:
            if not any(ip_address(found) in network for network in settings.trusted_proxy):
                break
            found = str(ip_address(_unmapped(each.strip())))
        except ValueError:  # no address: nobody to believe any further
            break
    return found


def _unmapped(address: str) -> str:
    """Name an address of IPv4 as one, also where a socket for both kinds tells it as IPv6."""
    try:
        mapped = getattr(ip_address(address), "ipv4_mapped", None)
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def base_url(request: web.Request) -> URL:
    """Tell where the client finds this server; behind a proxy, the proxy says so."""
    url = request.url.origin()
    if not request.app[SETTINGS].http:
        return url
    scheme = _told_first(request, "X-Forwarded-Proto", url.scheme)
    host = _told_first(request, "X-Forwarded-Host", url.authority)
    try:
        return URL(f"{scheme}://{host}").origin()
    except ValueError:
        return url


def check_host(request: web.Request) -> None:
    """Raise `RequestError` for a Host header that is no address (RFC 9112 section 3.2)."""
    try:
        URL.build(scheme=request.scheme, authority=request.host).origin()
    except ValueError:
        raise RequestError("The Host header is no address") from None


def _told_first(request: web.Request, header: str, otherwise: str) -> str:
    """What the proxy says that is nearest to the client; each adds its own behind a comma."""
    return request.headers.get(header, otherwise).split(",")[0].strip()
