"""The pages, and what they are made of."""

from pathlib import Path

from aiohttp import hdrs, web

from liveness.api.http import API_KEYS, SETTINGS
from liveness.errors import NotFound

STATIC = (Path(__file__).parents[1] / "static").resolve()

# Nothing but what this server serves itself; the camera's picture is a MediaStream.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

PAGE_HEADERS = {
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for each time and answered 304 while unchanged: pages and modules stay of one version.
    hdrs.CACHE_CONTROL: "no-cache",
}

routes = web.RouteTableDef()


@routes.get("/")
async def index(_request: web.Request) -> web.FileResponse:
    """Serve the page that does the check."""
    return _file("index.html")


@routes.get("/success")
async def success(_request: web.Request) -> web.FileResponse:
    """Serve the page that a live verdict leads to."""
    return _file("success.html")


@routes.get("/api/page")
async def about(request: web.Request) -> web.Response:
    """Tell the page what it has to know about this server."""
    known = {
        "needs_link": bool(request.app[API_KEYS]),
        "frame_origins": request.app[SETTINGS].frame_origin,
        "keeps_pictures": request.app[SETTINGS].keep_evidence,
    }
    return web.json_response(known, headers={hdrs.CACHE_CONTROL: "no-cache"})


@routes.get("/static/{path:.+}")
async def part(request: web.Request) -> web.FileResponse:
    """Serve what the pages are made of."""
    return _file(request.match_info["path"])


def _file(name: str) -> web.FileResponse:
    """Serve a file of the folder, and none outside it; raises `NotFound`."""
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file():
        raise NotFound
    return web.FileResponse(path)


async def add_page_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser what the pages may do; an `on_response_prepare` signal handler."""
    if request.path in {"/", "/success"} or request.path.startswith("/static/"):
        policy = " ".join((POLICY, *request.app[SETTINGS].frame_origin))
        response.headers.update(PAGE_HEADERS | {"Content-Security-Policy": policy})
