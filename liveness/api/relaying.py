"""Which requests another process answers: middleware that sends them there."""

from aiohttp import hdrs, web

from liveness.api import whip
from liveness.api.http import STORE
from liveness.api.middleware import Handler
from liveness.errors import OwnerSilent
from liveness.relay import Relay, Unreachable, as_it_came, came_from_worker

RELAY = web.AppKey("relay", Relay)


@web.middleware
async def relay(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer here whatever can be answered here, and everything that was sent here."""
    if came_from_worker(request):
        return await handler(as_it_came(request))
    resource = request.match_info.route.resource
    send = _SENT_ON.get((request.method, resource.canonical if resource else ""))
    return await (handler(request) if send is None else send(request, handler))


async def _to_the_freest(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Spread sessions evenly: the kernel hands a connection to any worker."""
    with request.app[RELAY].freest() as slot:
        return await _to_worker(slot, request, handler)


async def _to_one_that_stays(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody feel that this worker is about to end, where others stay."""
    return await _to_worker(request.app[RELAY].stand_in, request, handler)


async def _to_the_fetcher(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have one worker fetch weights and tell how far that is, whoever asks."""
    slot = request.app[RELAY].keeper("download")
    return await _to_worker(slot, request, handler, within=None)


async def _to_worker(
    slot: int, request: web.Request, handler: Handler, **options: None
) -> web.StreamResponse:
    link = request.app[RELAY]
    if slot != link.seat.slot:
        try:
            return await link.to_worker(slot, request, **options)
        except Unreachable:  # it has just died
            pass
    return await handler(request)


async def _to_the_owner(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reach the process that has a session."""
    link = request.app[RELAY]
    record = await request.app[STORE].get(request.match_info["id"])
    if record is None or record.owner is None or record.owner == link.seat.owner:
        return await handler(request)
    try:
        return await link.to_owner(record.owner, request)
    except OwnerSilent:
        # What is deleted from the store ends at its owner too, only later.
        if request.method != hdrs.METH_DELETE:
            raise
    return await handler(request)


_SENT_ON = {
    (hdrs.METH_POST, whip.ENDPOINT): _to_the_freest,
    (hdrs.METH_PATCH, whip.RESOURCE): _to_the_owner,
    (hdrs.METH_DELETE, whip.RESOURCE): _to_the_owner,
    (hdrs.METH_DELETE, "/api/sessions/{id}"): _to_the_owner,
    (hdrs.METH_POST, "/api/sessions"): _to_one_that_stays,
    (hdrs.METH_GET, "/readyz"): _to_one_that_stays,
    (hdrs.METH_GET, "/download-model"): _to_the_fetcher,
}
"""By method and route."""
