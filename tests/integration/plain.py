"""The least that a WHIP client can be: it publishes frames and does not look at the page's rules.

Everything stays on 127.0.0.1.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestServer
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import AudioStreamTrack

from liveness.app import create_app
from liveness.protocol import CHANNEL_LABEL
from liveness.rtc.network import Network
from liveness.settings import Settings

LOOPBACK = "127.0.0.1"


class Picture(VideoStreamTrack):
    """A picture without a face, 30 times a second, while it is `running`."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        super().__init__()
        self.running = asyncio.Event()
        self.running.set()
        self._plane = np.full((height * 3 // 2, width), 128, np.uint8)

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        await self.running.wait()
        frame = av.VideoFrame.from_ndarray(self._plane, format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        return frame


@dataclass
class Plain:
    """A peer connection, and what came back over its channel."""

    pc: RTCPeerConnection = field(
        default_factory=lambda: RTCPeerConnection(RTCConfiguration(iceServers=[]))
    )
    picture: Picture = field(default_factory=Picture)
    channel: RTCDataChannel | None = None
    messages: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def offer(self, *, channel: bool = True, audio: bool = False, videos: int = 1) -> str:
        if audio:
            self.pc.addTrack(AudioStreamTrack())
        for index in range(videos):
            self.pc.addTransceiver(self.picture if index == 0 else Picture(), "sendonly")
        if channel:
            self.channel = self.pc.createDataChannel(CHANNEL_LABEL)
            self.channel.on("message", self.messages.put_nowait)
            self.channel.on("close", self.closed.set)
        Network([LOOPBACK]).prepare(self.pc)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def verdict(self, *, within: float) -> dict[str, Any]:
        """Wait so many seconds for it, whatever comes before."""
        message: dict[str, Any] = {"type": ""}
        async with asyncio.timeout(within):
            while message["type"] != "verdict":
                message = json.loads(await self.messages.get())
        return message

    async def close(self) -> None:
        self.picture.stop()
        await self.pc.close()


async def create(client: ClientSession, **wanted: Any) -> dict[str, Any]:
    """Make a session through the API."""
    async with client.post("/api/sessions", json=wanted) as response:
        assert response.status == 201, await response.text()
        created: dict[str, Any] = await response.json()
        return created


def bearer(session: dict[str, Any], **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['token']}", **more}


async def post(client: ClientSession, session: dict[str, Any], offer: str) -> ClientResponse:
    headers = bearer(session) | {"Content-Type": "application/sdp"}
    response = await client.post("/whip", data=offer, headers=headers)
    await response.read()
    return response


async def publish(client: ClientSession, session: dict[str, Any], **offered: Any) -> Plain:
    """Connect a plain peer to a session."""
    peer = Plain()
    response = await post(client, session, await peer.offer(**offered))
    assert response.status == 201, await response.text()
    await peer.accept(await response.text())
    return peer


async def show(client: ClientSession, session: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/sessions/{session['id']}"
    async with client.get(path, headers=bearer(session)) as response:
        assert response.status == 200, await response.text()
        shown: dict[str, Any] = await response.json()
        return shown


async def reach(
    client: ClientSession, session: dict[str, Any], status: str, within: float = 10.0
) -> dict[str, Any]:
    """Wait until a session has come so far."""
    until = time.monotonic() + within
    while (shown := await show(client, session))["status"] != status:
        assert shown["status"] != "finished", shown["verdict"]
        assert time.monotonic() < until, f"still {shown['status']} after {within} s"
        await asyncio.sleep(0.05)
    return shown


def settings(**changed: Any) -> Settings:
    loopback: dict[str, Any] = {
        "http": True,
        "host": LOOPBACK,
        "ice_address": (LOOPBACK,),
        "store": "memory",
        # The scenes are rendered in this process: its load says nothing about the server's.
        "most_load": 0,
    }
    return Settings(**(loopback | changed))


@asynccontextmanager
async def serving(**changed: Any) -> AsyncIterator[ClientSession]:
    """Run the application on a free port of 127.0.0.1."""
    async with (
        TestServer(create_app(settings(**changed)), host=LOOPBACK) as server,
        ClientSession(server.make_url("/")) as client,
    ):
        yield client
