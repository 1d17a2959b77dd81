"""Clients that nobody here wrote."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from aiohttp import ClientSession

from tests.integration.plain import create, reach, serving
from tests.needed import installed, missing

CLIENT = Path(__file__).parent / "werift_client.mjs"
WERIFT = "werift@0.25.2"
CACHE = Path(__file__).parents[2] / ".cache" / "npm"

FFMPEG = [
    *("-hide_banner", "-loglevel", "error"),
    *("-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=30"),
    *("-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:a", "libopus", "-ac", "2"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30"),
    *("-profile:v", "baseline", "-pix_fmt", "yuv420p"),
]


def whip_url(client: ClientSession) -> str:
    return str(client._base_url) + "whip"  # noqa: SLF001 - where the server happens to listen


async def finish(process: asyncio.subprocess.Process) -> str:
    if process.returncode is None:
        process.kill()
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def run(*command: str, **more: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **more
    )


async def test_ffmpeg_publishes() -> None:
    async with serving(time_limit=1.5) as client:
        session = await create(client)
        url = whip_url(client)
        whip = ("-f", "whip", "-authorization", session["token"], url)
        process = await run(imageio_ffmpeg.get_ffmpeg_exe(), *FFMPEG, *whip)
        try:
            verdict = (await reach(client, session, "finished"))["verdict"]
        finally:
            said = await finish(process)
        assert verdict["reasons"] == ["time_limit"], said
        assert verdict["frames"] > 15


@pytest.fixture(scope="session")
def werift() -> Path:
    """Install the package once, among the caches; gives the client's script beside it."""
    installed("node", "nodejs")
    npm = installed("npm", "npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules" / "werift").is_dir():
        options = ("--no-audit", "--no-fund", "--silent", "--prefix", str(CACHE))
        done = subprocess.run(  # noqa: S603 - npm itself, told what to install here
            [npm, "install", *options, WERIFT], capture_output=True, text=True, check=False
        )
        if done.returncode:
            missing(f"npm cannot install {WERIFT}: {done.stderr}")
    return Path(shutil.copy(CLIENT, CACHE))


def encode(path: Path) -> None:
    """Write a second of VP8 whose pictures fit a packet each."""
    with av.open(path, "w", format="ivf") as container:
        stream = container.add_stream("libvpx", 30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(30):
            picture = np.full((64, 64, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.timeout(300)
async def test_a_javascript_stack_publishes_and_is_told(werift: Path, tmp_path: Path) -> None:
    encode(tmp_path / "video.ivf")
    async with serving(time_limit=1.5) as client:
        session = await create(client)
        environment = os.environ | {
            "WHIP_URL": whip_url(client),
            "WHIP_TOKEN": session["token"],
            "WHIP_VIDEO": str(tmp_path / "video.ivf"),
        }
        process = await run("node", str(werift), env=environment)
        try:
            verdict = (await reach(client, session, "finished"))["verdict"]
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            said = await finish(process)
        assert verdict["reasons"] == ["time_limit"], said
        messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert messages[0]["type"] == "state", said
        assert messages[-1] == {"type": "verdict", **verdict}
