"""What the calls of both seeds share: bodies of pictures, errors in their shape, and clients."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web

from liveness.api.http import REGISTRY, address, base_url
from liveness.api.relaying import RELAY
from liveness.clients import NAMED_LIFETIME, Clients, Visit
from liveness.desk import Desk, Tray
from liveness.errors import LivenessError, Timeout
from liveness.limits import network_of
from liveness.pictures import Picture, read_picture
from liveness.registry import Registry
from liveness.relay import Unreachable, came_from_worker
from liveness.vision.observation import Observation
from liveness.vision.still import observe

COOKIE = "liveness_client"

SEND_TIMEOUT = 30.0
"""Seconds a client may take to send its pictures: a telephone's on a slow line."""

_MOST_TOLD = 128
"""Characters of a header by which clients are told apart."""

Handler = Callable[[web.Request], Awaitable[web.Response]]
Shape = Callable[[str], dict[str, Any]]
"""Makes the seed's body of an error out of a sentence."""

OUTCOME = web.RequestKey("outcome", str)
"""What an answered call came to, one of a few words, for the metrics."""

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


class AnsweredElsewhere(Exception):  # noqa: N818 - nothing is wrong
    """Another worker has answered the request, and counted it."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


async def settle(request: web.Request, session: str | None, body: bytes) -> None:
    """Go on if this worker is the one that remembers the client; raises `AnsweredElsewhere`.

    One that has just died remembers nobody: then it goes on here.
    """
    link, cookie = request.app[RELAY], request.cookies.get(COOKIE)
    key = f"session:{session}" if session else f"cookie:{cookie}" if cookie else address(request)
    keeper = link.keeper(key)
    if keeper == link.seat.slot or came_from_worker(request):
        return
    try:
        response = await link.to_worker(keeper, request, body)
    except Unreachable:
        return
    raise AnsweredElsewhere(response)


def seed_call(name: str, shape: Shape) -> Callable[[Handler], Handler]:
    """Answer errors with the seed's own body instead of a problem, and count what calls come to."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(request: web.Request) -> web.Response:
            try:
                response, outcome = await _answer(handler, request, shape)
            except AnsweredElsewhere as elsewhere:
                return elsewhere.response
            request.app[REGISTRY].metrics.calls.labels(name, outcome).inc()
            return response

        return answer

    return decorate


async def _answer(handler: Handler, request: web.Request, shape: Shape) -> tuple[web.Response, str]:
    """Give the answer, and what it comes to: the handler's own word, or the code of an error."""
    try:
        response = await handler(request)
    except AnsweredElsewhere:
        raise
    except LivenessError as error:
        return json(shape(error.detail), error.status, error.headers), error.code
    except web.HTTPClientError as error:
        status = HTTPStatus(error.status)
        return json(shape(f"{error.reason}."), status), status.name.lower()
    except Exception:
        log.exception("request failed", method=request.method, route=request.path)
        unknown = LivenessError()
        return json(shape(unknown.detail), unknown.status), unknown.code
    return response, request[OUTCOME]


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
    return Seen(picture, observe(registry.sight.landmarker, picture.luma, arrived))


def tray_of(request: web.Request) -> AbstractContextManager[Tray]:
    """Count what a request takes of the desk as its address's."""
    return request.app[STILLS].desk.tray(network_of(address(request)))


def expect_client(request: web.Request) -> None:
    """Raise `Timeout` when nobody waits for the answer any more."""
    if request.transport is None or request.transport.is_closing():
        raise Timeout("Whoever sent the pictures is gone")


def visit(request: web.Request, session: str | None, arrived: float) -> Visit:
    """Find whoever sent a request."""
    clients = request.app[STILLS].clients
    return clients.visit(session, request.cookies.get(COOKIE), _sender(request), arrived)


def _sender(request: web.Request) -> str | None:
    """What a client without cookies is known by; None for our own pages, which will keep theirs.

    Pages of other origins keep none, as these calls are made without credentials. Their origins and
    browsers tell some of those apart who share an address.
    """
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return None
    told = (request.headers.get(name, "")[:_MOST_TOLD] for name in (hdrs.ORIGIN, hdrs.USER_AGENT))
    return "\n".join((address(request), *told))


def remember(request: web.Request, response: web.Response, found: Visit) -> web.Response:
    """Give a client its cookie, to be kept from now."""
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
