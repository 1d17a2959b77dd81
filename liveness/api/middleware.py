"""What holds for every request: errors as problems (RFC 9457), other origins, guessed keys."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from liveness.api.http import API_KEYS, REGISTRY, SETTINGS, address, check_host
from liveness.errors import LivenessError
from liveness.relay import came_from_worker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EXPOSED = "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After"
ALLOWED_METHODS = "DELETE, GET, OPTIONS, PATCH, POST"
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match"  # to who names none; else what is asked
PREFLIGHT_AGE = "7200"  # seconds; the most that Chromium takes

KEYED = ("/api/sessions", "/download-model")
"""What an API key is presented for begins with one of these."""

log = structlog.get_logger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with `application/problem+json`."""
    try:
        return await handler(request)
    except LivenessError as error:
        return problem(error.status, error.code, error.title, error.detail, error.headers)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        status = HTTPStatus(error.status)
        kept: dict[str, str] = (
            {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
        )
        return problem(status, status.name.lower(), status.phrase, status.description, kept)
    except Exception:
        log.exception("request failed", method=request.method, route=_route(request))
        unknown = LivenessError()
        return problem(unknown.status, unknown.code, unknown.title, unknown.detail)


@web.middleware
async def hosts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Look at nothing that was sent to what is no address."""
    check_host(request)
    return await handler(request)


def problem(
    status: HTTPStatus, code: str, title: str, detail: str, headers: dict[str, str] | None = None
) -> web.Response:
    """Write a problem; `type` is a name, not an address: what it says stands in `title`."""
    body = {
        "type": f"urn:liveness:problem:{code}",
        "title": title,
        "status": status.value,
        "detail": detail,
        "code": code,
    }
    return web.Response(
        status=status,
        text=json.dumps(body),
        content_type="application/problem+json",
        headers={hdrs.CACHE_CONTROL: "no-store", **(headers or {})},
    )


@web.middleware
async def guesses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody try many API keys. What another worker sends on was looked at there."""
    takes_key = request.path.startswith(KEYED) and hdrs.AUTHORIZATION in request.headers
    if not takes_key or not request.app[API_KEYS] or came_from_worker(request):
        return await handler(request)
    limits, where = request.app[REGISTRY].limits, address(request)
    limits.check_guesses(where)
    response = await problems(request, handler)
    if response.status == HTTPStatus.UNAUTHORIZED:
        await limits.note_guess(where)
    return response


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that asks whether it may (a preflight is answered for every known path)."""
    asks = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        if request.method == hdrs.METH_OPTIONS and asks:
            return web.Response(status=HTTPStatus.NO_CONTENT)
        raise


async def add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of the configured origins read answers; an `on_response_prepare` handler.

    Never with credentials: nothing here trusts a cookie.
    """
    allowed = request.app[SETTINGS].cors_origin
    origin = request.headers.get(hdrs.ORIGIN)
    if "*" not in allowed:
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if origin is None or ("*" not in allowed and origin not in allowed):
        return
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in allowed else origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = ALLOWED_METHODS
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, ALLOWED_HEADERS)
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = PREFLIGHT_AGE


def _route(request: web.Request) -> str:
    """Name the route, not the address: that may carry what belongs in no log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
