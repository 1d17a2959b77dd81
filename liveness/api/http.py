"""What every surface does with requests: bodies of bounded size, tokens, addresses."""

import asyncio
import hmac
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from yarl import URL

from liveness.errors import InvalidBody, Timeout, TooLarge, Unauthorized, WrongType
from liveness.registry import Registry
from liveness.settings import Settings

REGISTRY = web.AppKey("registry", Registry)
SETTINGS = web.AppKey("settings", Settings)

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
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized
    return token


def has_key(request: web.Request, token: str) -> bool:
    """Tell whether a token is one of the API keys."""
    keys = request.app[SETTINGS].api_key
    return any(hmac.compare_digest(token.encode(), key.encode()) for key in keys)


def base_url(request: web.Request) -> URL:
    """Tell where the client finds this server; behind a proxy, the proxy says so."""
    url = request.url.origin()
    if not request.app[SETTINGS].http:
        return url
    scheme = request.headers.get("X-Forwarded-Proto", url.scheme)
    host = request.headers.get("X-Forwarded-Host", url.authority)
    try:
        return URL(f"{scheme}://{host}").origin()
    except ValueError:
        return url
