"""The floor: an aiortc peer that receives, decrypts, decodes, and throws away."""

import asyncio
import sys

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from liveness.rtc.network import Network

LOOPBACK = "127.0.0.1"


async def drain(track: MediaStreamTrack) -> None:
    """Read a track to its end and throw it away."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


def bare_app() -> web.Application:
    """Take the requests that the server takes."""
    app = web.Application()
    peers: list[RTCPeerConnection] = []
    tasks: list[asyncio.Task[None]] = []

    async def create(_request: web.Request) -> web.Response:
        return web.json_response({"token": "any"})

    async def ready(_request: web.Request) -> web.Response:
        return web.json_response({})

    async def publish(request: web.Request) -> web.Response:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(peer)
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        Network([LOOPBACK]).prepare(peer)
        tasks.extend(asyncio.create_task(drain(each.track)) for each in peer.getReceivers())
        await peer.setLocalDescription()
        return web.Response(status=201, text=peer.localDescription.sdp)

    async def close(_app: web.Application) -> None:
        await asyncio.gather(*(peer.close() for peer in peers))

    app.router.add_post("/api/sessions", create)
    app.router.add_post("/whip", publish)
    app.router.add_get("/readyz", ready)
    app.on_shutdown.append(close)
    return app


if __name__ == "__main__":
    web.run_app(bare_app(), host=LOOPBACK, port=int(sys.argv[1]), print=None)
