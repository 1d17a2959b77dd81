"""What a frame costs: this server, next to an aiortc peer that only receives and decodes.

    python bench/media_path.py [--sessions 4] [--seconds 20]

Both get the same clip, encoded once (VP8, 640x480, 30 frames a second, about 1 Mbit/s, a face that
sways and blinks), from the same sender in a process of its own, and are held on one core. CPU time
is the receiving process's own, counted by the kernel, over the frames that it received.
"""

import argparse
import asyncio
import json
import multiprocessing as mp
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import av
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from liveness import hugepages
from liveness.app import create_app
from liveness.protocol import CHANNEL_LABEL
from liveness.rtc import ice
from liveness.settings import Settings
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet

RATE = 30
BITS_A_SECOND = 1_000_000
CLIP_SECONDS = 10
LOOPBACK = "127.0.0.1"
WARM_UP = 4.0
"""Seconds until every session has its face and its rhythm."""

GOAL = 2.5
"""How many times the bare receiver's CPU time a measured frame may cost."""

# Turns that the clip's face never makes: the sessions last as long as the measurement.
CHALLENGES = ["front", "right"]


@dataclass(frozen=True)
class Cost:
    """Of the receiving process, after warming up."""

    cpu: float
    frames: int
    dropped: int

    @property
    def milliseconds(self) -> float:
        return 1000 * self.cpu / self.frames


class Clip(MediaStreamTrack):
    """Sends a file's encoded packets over and over, in time."""

    kind = "video"

    def __init__(self, path: Path, delay: float) -> None:
        super().__init__()
        with av.open(path) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            self._packets = [(bytes(packet), packet.is_keyframe) for packet in packets]
        self._numbers = count()
        self._start = time.monotonic() + delay

    async def recv(self) -> "av.Packet[av.stream.Stream]":
        number = next(self._numbers)
        await asyncio.sleep(self._start + number / RATE - time.monotonic())
        data, key = self._packets[number % len(self._packets)]
        packet = av.Packet(data)
        packet.pts = packet.dts = number
        packet.time_base = Fraction(1, RATE)
        packet.is_keyframe = key
        return packet


def encode(path: Path) -> None:
    """Render a face that was asked nothing, and encode it as a browser would."""
    face = Puppet(Portrait.astronaut(), seed=1)
    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx", RATE)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.bit_rate = BITS_A_SECOND
        stream.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        for number in range(RATE * CLIP_SECONDS):
            frame = av.VideoFrame.from_ndarray(face.frame(number / RATE), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


async def send(url: str, clip: Path, sessions: int, seconds: float) -> None:
    """Publish the clip so many times, spread over a frame's time."""
    async with aiohttp.ClientSession(url) as http:
        peers = [await connect(http, clip, each / RATE / sessions) for each in range(sessions)]
        await asyncio.sleep(seconds)
        await asyncio.gather(*(peer.close() for peer in peers))


async def connect(http: aiohttp.ClientSession, clip: Path, delay: float) -> RTCPeerConnection:
    created = await (await http.post("/api/sessions", json={"challenges": CHALLENGES})).json()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver(Clip(clip, delay), "sendonly")
    peer.createDataChannel(CHANNEL_LABEL)
    ice.restrict(peer, [LOOPBACK])
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Authorization": f"Bearer {created['token']}", "Content-Type": "application/sdp"}
    answer = await http.post("/whip", data=peer.localDescription.sdp, headers=headers)
    answer.raise_for_status()
    await peer.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
    return peer


async def drain(track: MediaStreamTrack) -> None:
    """Read a track to its end and throw it away."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return


def bare_app() -> web.Application:
    """Take the same requests, receive and decode, and throw away."""
    app = web.Application()
    peers: list[RTCPeerConnection] = []
    tasks: list[asyncio.Task[None]] = []

    async def create(_request: web.Request) -> web.Response:
        return web.json_response({"token": "any"})

    async def publish(request: web.Request) -> web.Response:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(peer)
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        ice.restrict(peer, [LOOPBACK])
        tasks.extend(asyncio.create_task(drain(each.track)) for each in peer.getReceivers())
        await peer.setLocalDescription()
        return web.Response(status=201, text=peer.localDescription.sdp)

    async def close(_app: web.Application) -> None:
        await asyncio.gather(*(peer.close() for peer in peers))

    app.router.add_post("/api/sessions", create)
    app.router.add_post("/whip", publish)
    app.on_shutdown.append(close)
    return app


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    await runner.cleanup()


async def receive(pipe: Connection, core: int, seconds: float, *, bare: bool) -> None:
    """Serve on one core; tells the address, then CPU seconds after warming up."""
    os.sched_setaffinity(0, {core})
    app = (
        bare_app()
        if bare
        else create_app(
            Settings(http=True, host=LOOPBACK, ice_address=(LOOPBACK,), max_sessions=100)
        )
    )
    async with served(app) as url:
        pipe.send(url)
        await asyncio.to_thread(pipe.recv)
        await asyncio.sleep(WARM_UP)
        started = time.process_time()
        await asyncio.sleep(seconds)
        cpu = time.process_time() - started
        await asyncio.to_thread(pipe.recv)
        dropped = measured = 0
        if not bare:
            async with aiohttp.ClientSession(url) as http:
                await asyncio.sleep(1)
                text = await (await http.get("/metrics")).text()
            dropped, measured = frames(text, "dropped"), frames(text, "measured")
        pipe.send((cpu, dropped, measured))


def frames(metrics: str, fate: str) -> int:
    found = re.search(rf'^liveness_frames_total{{fate="{fate}"}} (\S+)$', metrics, re.MULTILINE)
    return int(float(found[1])) if found else 0


def _receive(pipe: Connection, core: int, seconds: float, bare: bool) -> None:  # noqa: FBT001
    asyncio.run(receive(pipe, core, seconds, bare=bare))


def measure(clip: Path, sessions: int, seconds: float, *, bare: bool) -> Cost:
    """Start a receiver, send to it, and read what it cost."""
    cores = sorted(os.sched_getaffinity(0))
    context = mp.get_context("spawn")
    pipe, other = context.Pipe()
    receiver = context.Process(target=_receive, args=(other, cores[0], seconds, bare))
    receiver.start()
    url = pipe.recv()
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    pipe.send("go")
    asyncio.run(send(url, clip, sessions, WARM_UP + seconds + 1))
    pipe.send("stop")
    cpu, dropped, _ = pipe.recv()
    receiver.join()
    os.sched_setaffinity(0, set(cores))
    return Cost(cpu, round(sessions * RATE * seconds), dropped)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--sessions", type=int, default=4)
    options.add_argument("--seconds", type=float, default=20.0)
    chosen = options.parse_args()
    os.environ.update(hugepages.ENVIRONMENT)  # for both receivers, as `server.py` does for itself
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "face.webm"
        print("rendering and encoding a clip ...", flush=True)
        encode(clip)
        print(f"{chosen.sessions} sessions, {chosen.seconds:g} s each, bare ...", flush=True)
        bare = measure(clip, chosen.sessions, chosen.seconds, bare=True)
        print("and measured ...", flush=True)
        full = measure(clip, chosen.sessions, chosen.seconds, bare=False)
    ratio = full.milliseconds / bare.milliseconds
    print(f"receive and decode   {bare.milliseconds:.2f} ms of CPU a frame")
    print(f"this server          {full.milliseconds:.2f} ms of CPU a frame, {full.dropped} dropped")
    print(f"ratio                {ratio:.2f} (at most {GOAL})")
    print(f"core busy            {100 * full.cpu / chosen.seconds:.0f} %")
    print(json.dumps({"bare_ms": bare.milliseconds, "ms": full.milliseconds, "ratio": ratio}))
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
