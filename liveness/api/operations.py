"""For those who run the server: is it alive, is it ready, what has it done."""

from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from liveness.admission import RETRY_AFTER
from liveness.api.http import REGISTRY
from liveness.errors import ServerStopping

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_request: web.Request) -> web.Response:
    """Alive: the event loop answers."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Ready: models are loaded, else nothing listens, the store takes sessions, the server stays.

    `spoof_model`: the name of the one that scores sessions; null: there is none, so no scores.
    `compares_faces`: whether a face that changes during a session would be noticed.
    """
    registry = request.app[REGISTRY]
    if registry.stopping:
        raise ServerStopping(retry_after=RETRY_AFTER)
    await registry.ping()
    return web.json_response(
        {
            "status": "ready",
            "spoof_model": registry.sight.spoof_model,
            "compares_faces": registry.sight.compares_faces,
        }
    )


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Counters in the Prometheus text format."""
    response = web.Response(body=request.app[REGISTRY].metrics.text(), status=HTTPStatus.OK)
    response.headers["Content-Type"] = CONTENT_TYPE_LATEST
    return response
