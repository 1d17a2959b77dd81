"""Pictures of sessions that were kept, for the relying party alone whose sessions they are."""

from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from liveness.albums import Albums
from liveness.api.http import REGISTRY, relying_party
from liveness.errors import NotFound, Unauthorized

ALBUMS = web.AppKey("albums", Albums)

HEADERS = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}

routes = web.RouteTableDef()


@routes.get("/api/sessions/{id}/pictures")
async def list_all(request: web.Request) -> web.Response:
    """List the pictures of a session, in the order of their names."""
    session_id = await _session(request)
    names = await request.app[ALBUMS].names(session_id)
    return web.json_response(
        {"pictures": [_shown(session_id, name) for name in names]}, headers=HEADERS
    )


@routes.get("/api/sessions/{id}/pictures/{name}")
async def show(request: web.Request) -> web.Response:
    """Give one of them."""
    session_id = await _session(request)
    picture = await request.app[ALBUMS].picture(session_id, request.match_info["name"])
    return web.Response(body=picture, content_type="image/jpeg", headers=HEADERS)


async def _session(request: web.Request) -> str:
    """Find a session by an API key: neither its token nor an open server shows a face."""
    party = relying_party(request)
    if party is None:
        raise Unauthorized("Pictures are shown for an API key, and this server has none")
    record = await request.app[REGISTRY].get(request.match_info["id"])
    if record.key_name != party:
        raise NotFound("There is no such session")
    return record.id


def _shown(session_id: str, name: str) -> dict[str, Any]:
    return {"name": name, "url": f"/api/sessions/{session_id}/pictures/{quote(name)}"}
