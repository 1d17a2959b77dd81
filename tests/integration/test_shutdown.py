import asyncio
import json
import re
import signal
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.integration.plain import LOOPBACK, create, publish, reach

ROOT = Path(__file__).parents[2]
ARGUMENTS = ("--host", LOOPBACK, "--port", "0", "--ice-address", LOOPBACK)


HANGS = """
import sys, time
from liveness import registry, serve

serve.STOP_LIMIT = 0.5
registry.Registry.close = lambda _self: time.sleep(60)
sys.exit(serve.main(sys.argv[1:]))
"""


@asynccontextmanager
async def started(
    *arguments: str, program: tuple[str, ...] = (str(ROOT / "server.py"),)
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """Run server.py until told to stop; gives what it says first, and its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, *ARGUMENTS, *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = b""
    try:
        async with asyncio.timeout(30):
            while b"Model" not in lines:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                lines += line
        text = lines.decode()
        yield process, text, re.findall(r"https?://\S+", text)[0]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "2")])
async def test_sessions_end_when_the_server_is_told_to_stop(
    number: signal.Signals, workers: str
) -> None:
    arguments = ("--http", "--workers", workers, "--drain-seconds", "0")
    async with started(*arguments) as (process, _, url), ClientSession(url) as client:
        session = await create(client)
        peer = await publish(client, session)
        await reach(client, session, "running")
        process.send_signal(number)
        message: dict[str, Any] = {"type": ""}
        async with asyncio.timeout(5):
            while message["type"] != "verdict":
                message = json.loads(await peer.messages.get())
        assert message["verdict"] == "incomplete"
        assert message["reasons"] == ["server_stopping"]
        await peer.close()
        _, errors = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0
        assert b"Traceback" not in errors
        assert b"never retrieved" not in errors
        assert session["token"].encode() not in errors


async def test_a_single_process_ends_whatever_hangs() -> None:
    async with started("--http", "--workers", "1", program=("-c", HANGS)) as (process, _, _url):
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 1
        assert b"process does not end" in errors


async def test_it_serves_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    async with started("--cert-dir", str(tmp_path)) as (_, text, url):
        assert url.startswith(f"https://{LOOPBACK}:")
        assert "iBUG 300-W" in text
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        async with ClientSession(url) as client:
            assert (await client.get("/healthz", ssl=context)).status == 200
        assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--port", "70000"), 2, "--port: "),
        (("--workers", "2", "--store", "memory"), 2, "--workers: "),
        (("--workers", "1", "--spoof-model", "none.toml"), 1, "none.toml cannot be read"),
        (("--workers", "2", "--spoof-model", "none.toml"), 1, "none.toml cannot be read"),
    ],
)
async def test_what_is_wrong_is_said_in_a_line(
    arguments: tuple[str, ...], status: int, said: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "server.py"), *ARGUMENTS, *arguments),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == status
    assert errors.decode().startswith(f"error: {said}")
    assert len(errors.splitlines()) == 1
