"""WHIP (RFC 9725): a peer comes with an offer, adds candidates, and goes."""

from http import HTTPStatus

from aiohttp import hdrs, web

from liveness.api.http import REGISTRY, bearer, expect_type, read_text
from liveness.errors import NotFound, PreconditionFailed, Unauthorized
from liveness.registry import digest
from liveness.rtc.sdp import FRAGMENT_TYPE, OFFER_TYPE, read_fragment, read_offer
from liveness.rtc.servers import link_headers
from liveness.store import Record

ENDPOINT = "/whip"
RESOURCE = "/whip/{id}"

MAX_OFFER = 64 * 1024
"""Bytes; a browser's offer has 2 to 8 thousand."""

MAX_FRAGMENT = 16 * 1024

routes = web.RouteTableDef()


@routes.options(ENDPOINT)
async def describe_endpoint(request: web.Request) -> web.Response:
    """Say what can be posted and, to whoever has a token, which ICE servers help (section 4.6)."""
    headers = {"Accept-Post": OFFER_TYPE, hdrs.ALLOW: "OPTIONS, POST"}
    response = web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)
    if hdrs.AUTHORIZATION in request.headers:
        record = await request.app[REGISTRY].by_token(bearer(request))
        _add_links(request, record, response)
    return response


@routes.options(RESOURCE)
async def describe_resource(_request: web.Request) -> web.Response:
    """Say what can be patched."""
    headers = {"Accept-Patch": FRAGMENT_TYPE, hdrs.ALLOW: "DELETE, OPTIONS, PATCH"}
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


@routes.post(ENDPOINT)
async def publish(request: web.Request) -> web.Response:
    """Answer an offer (section 4.2)."""
    registry = request.app[REGISTRY]
    record = await registry.by_token(bearer(request))
    expect_type(request, OFFER_TYPE)
    offer = read_offer(await read_text(request, MAX_OFFER))
    ingest = await registry.ingest(record, offer)
    response = web.Response(
        status=HTTPStatus.CREATED,
        text=ingest.answer,
        content_type=OFFER_TYPE,
        headers={hdrs.LOCATION: f"{ENDPOINT}/{ingest.session_id}"},
    )
    response.headers[hdrs.ETAG] = f'"{ingest.entity_tag}"'
    # Text of this type is UTF-8 by definition (RFC 8866 section 8.1); it takes no charset.
    response.headers[hdrs.CONTENT_TYPE] = OFFER_TYPE
    _add_links(request, record, response)
    return response


def _add_links(request: web.Request, record: Record, response: web.Response) -> None:
    """Name the ICE servers, and keep the credentials in the links out of every cache."""
    for link in link_headers(request.app[REGISTRY].ice_servers(record)):
        response.headers.add(hdrs.LINK, link)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"


@routes.patch(RESOURCE)
async def trickle(request: web.Request) -> web.Response:
    """Take further candidates (section 4.3.2)."""
    record = await _resource(request)
    expect_type(request, FRAGMENT_TYPE)
    # Clients may leave If-Match out, as long as there is only one ICE session to match; an ICE
    # restart comes with `*` and is told apart by its credentials.
    if request.if_match and not {record.entity_tag, "*"} & {tag.value for tag in request.if_match}:
        raise PreconditionFailed
    fragment = read_fragment(await read_text(request, MAX_FRAGMENT))
    request.app[REGISTRY].trickle(record, fragment)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@routes.delete(RESOURCE)
async def leave(request: web.Request) -> web.Response:
    """End the session (section 4.2); its verdict can be read all the same."""
    await request.app[REGISTRY].leave(await _resource(request))
    return web.Response(status=HTTPStatus.OK)


async def _resource(request: web.Request) -> Record:
    """Find the resource that a request is about, for whoever holds its token."""
    token = bearer(request)
    registry = request.app[REGISTRY]
    record = await registry.get(request.match_info["id"])
    if record.token_digest != digest(token):
        raise Unauthorized("The token is not this session's")
    if record.entity_tag is None:
        raise NotFound("The session has no WHIP resource")
    return record
