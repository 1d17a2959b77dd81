"""The first seed's call that brings the GTX weights."""

from typing import Any

from aiohttp import web

from liveness.api.http import relying_party
from liveness.api.seeds import OUTCOME, json, seed_call
from liveness.download import Download, State, Status

DOWNLOAD = web.AppKey("download", Download)

routes = web.RouteTableDef()


def _error(message: str) -> dict[str, Any]:
    return {"success": False, "message": message}


# Not for HEAD: who asks whether there is such a thing does not want it done.
@routes.get("/download-model", allow_head=False)
@seed_call("download-model", _error)
async def download_model(request: web.Request) -> web.Response:
    """Fetch the weights, and answer when they are in use; with `?status`, say how far that is."""
    relying_party(request)
    download = request.app[DOWNLOAD]
    if "status" in request.query:
        request[OUTCOME] = "status"
        return json(_progress(download.status))
    there = download.status.state is State.DONE
    status = await download.join()
    request[OUTCOME] = "there" if there else "fetched"
    message = "The model is there already" if there else status.message
    return json({"success": True, "message": message})


def _progress(status: Status) -> dict[str, Any]:
    return {
        "success": status.state is State.DONE,
        "message": status.message,
        "state": status.state,
        "received": status.received,
        "total": status.total,
        "percent": status.percent,
    }
