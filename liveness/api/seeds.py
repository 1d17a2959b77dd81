"""What the calls of both seeds share: bodies of pictures, errors in their shape, and clients."""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web

from liveness.api.http import SETTINGS, base_url
from liveness.clients import NAMED_LIFETIME, Clients, Visit
from liveness.desk import Desk
from liveness.errors import LivenessError
from liveness.pictures import Picture, read_picture
from liveness.registry import Registry
from liveness.vision.observation import Observation
from liveness.vision.still import observe

COOKIE = "liveness_client"

SEND_TIMEOUT = 30.0
"""Seconds a client may take to send its pictures: a telephone's on a slow line."""

Handler = Callable[[web.Request], Awaitable[web.Response]]
Shape = Callable[[str], dict[str, Any]]
"""Makes the seed's body of an error out of a sentence."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stills:
    """What single pictures are served with."""

    registry: Registry
    desk: Desk
    clients: Clients


STILLS = web.AppKey("stills", Stills)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, and what it shows."""

    picture: Picture
    observation: Observation


def in_shape(shape: Shape) -> Callable[[Handler], Handler]:
    """Answer errors with the seed's own body instead of a problem."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except LivenessError as error:
                return json(shape(error.detail), error.status, error.headers)
            except web.HTTPClientError as error:
                return json(shape(f"{error.reason}."), HTTPStatus(error.status))
            except Exception:
                log.exception("request failed", method=request.method, route=request.path)
                unknown = LivenessError()
                return json(shape(unknown.detail), unknown.status)

        return answer

    return decorate


def json(
    body: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Write an answer; it is about one person, and kept by nobody."""
    return web.json_response(
        body, status=status, headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})}
    )


def look(content: bytes, registry: Registry, arrived: float) -> Seen:
    """Unpack a picture and measure it: work for a thread; raises `InvalidPicture`, `TooLarge`."""
    picture = read_picture(content)
    return Seen(picture, observe(registry.landmarker, picture.luma, arrived))


def visit(request: web.Request, session: str | None, arrived: float) -> Visit:
    """Find whoever sent a request."""
    clients = request.app[STILLS].clients
    return clients.visit(session, request.cookies.get(COOKIE), address(request), arrived)


def remember(request: web.Request, response: web.Response, found: Visit) -> web.Response:
    """Give a client that has none its cookie."""
    if found.cookie is not None:
        response.set_cookie(
            COOKIE,
            found.cookie,
            max_age=int(NAMED_LIFETIME),
            httponly=True,
            samesite="Strict",
            secure=base_url(request).scheme == "https",
        )
    return response


def now() -> float:
    """Tell when a request arrived, in seconds."""
    return time.monotonic()


def address(request: web.Request) -> str:
    """Tell the address that a request came from.

    A proxy in front of plain HTTP says so in the last entry of X-Forwarded-For; it is believed if
    it is in the same private network, where nobody else should be.
    """
    peer = request.remote or ""
    if not request.app[SETTINGS].http:
        return peer
    try:
        if ipaddress.ip_address(peer).is_private:
            last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            return str(ipaddress.ip_address(last)) if last else peer
    except ValueError:
        pass
    return peer
