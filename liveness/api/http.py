"""What every surface does with requests: bodies of bounded size, tokens, addresses."""

import asyncio

from aiohttp import hdrs, web
from yarl import URL

from liveness.errors import InvalidBody, Timeout, TooLarge, Unauthorized, WrongType
from liveness.registry import Registry
from liveness.settings import Settings

REGISTRY = web.AppKey("registry", Registry)
SETTINGS = web.AppKey("settings", Settings)

BODY_TIMEOUT = 10.0
"""Seconds a client may take to send what it announced."""


async def read_text(request: web.Request, limit: int) -> str:
    """Read a body of UTF-8 text, at most `limit` bytes; raises `RequestError`s."""
    if (request.content_length or 0) > limit:
        raise TooLarge(f"At most {limit} bytes are taken")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"At most {limit} bytes are taken")
    except TimeoutError:
        raise Timeout from None
    try:
        return body.decode()
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
