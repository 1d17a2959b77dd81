"""Chromium with somebody before its camera, for the tests of the page."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from socket import socket
from subprocess import Popen
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, async_playwright

from liveness.testing.portrait import Portrait
from tests.browser.visit import FAKE_CAMERA, SCREENSHOTS, SIZES, Visit, Visitor
from tests.needed import installed

HERE = Path(__file__).parent
PERSON = (HERE / "person.js").read_text()

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not this machine, as Chromium sees it: pages from there are not secure.
    "--host-resolver-rules=MAP face.test 127.0.0.1",
)

YAWS = [1.5 * step for step in range(-23, 24)]  # degrees
CLOSURES = [0.25, 0.5, 0.75, 1.0]
COLUMNS = 8
START_TIMEOUT = 30.0  # seconds for a server of its own to load its weights


@pytest.fixture(scope="session")
def chromium() -> str:
    path = installed("chromium", "chromium")
    SCREENSHOTS.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def poses(portrait: Portrait) -> tuple[str, bytes]:
    """The portrait's poses in one JPEG, row by row, and the JSON that describes them."""
    scenes = [portrait.poses.scene(yaw) for yaw in YAWS]
    scenes += [portrait.poses.scene(0.0, closure) for closure in CLOSURES]
    scenes += [np.zeros_like(scenes[0])] * (-len(scenes) % COLUMNS)
    rows = [np.hstack(scenes[at : at + COLUMNS]) for at in range(0, len(scenes), COLUMNS)]
    _, jpeg = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 92])
    about = {"size": portrait.size, "yaws": YAWS, "closures": CLOSURES}
    return json.dumps(about), jpeg.tobytes()


@pytest_asyncio.fixture
async def visit(chromium: str, poses: tuple[str, bytes]) -> AsyncIterator[Visitor]:
    """Open the page; whatever its console complains about unasked fails the test."""
    about, sheet = poses
    visits: list[Visit] = []

    async def serve_about(route: Route) -> None:
        await route.fulfill(body=about, content_type="application/json")

    async def serve_sheet(route: Route) -> None:
        await route.fulfill(body=sheet, content_type="image/jpeg")

    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browsers: dict[tuple[str, ...], Browser] = {}

        async def open_page(
            url: str,
            *,
            behaviour: dict[str, Any] | None = None,
            flags: tuple[str, ...] = FAKE_CAMERA,
            **options: Any,
        ) -> Visit:
            if flags not in browsers:
                browsers[flags] = await playwright.chromium.launch(
                    executable_path=chromium, args=[*QUIET, *flags]
                )
                stack.push_async_callback(browsers[flags].close)
            width, height = SIZES["desktop"]
            context = await browsers[flags].new_context(
                **({"viewport": {"width": width, "height": height}} | options)
            )
            await context.route("**/poses.json", serve_about)
            await context.route("**/poses.jpg", serve_sheet)
            script = f"window.behaviour = {json.dumps(behaviour or {})};\n{PERSON}"
            await context.add_init_script(script)
            visit = Visit(await context.new_page())
            visit.page.set_default_timeout(15_000)
            visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
            visit.page.on("console", lambda message: _note(visit, message.type, message.text))
            visits.append(visit)
            await visit.page.goto(url)
            return visit

        yield open_page
    assert [error for visit in visits for error in visit.errors] == []


def _note(visit: Visit, kind: str, text: str) -> None:
    # Chromium reports every answer of 400 and more, those that the page has words for as well.
    if kind == "error" and not text.startswith("Failed to load resource"):
        visit.errors.append(text)


@pytest.fixture
def mortal_server() -> Iterator[tuple[str, Callable[[], None]]]:
    """A server in a process of its own, and a way to end it without a farewell."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    loopback = ["--http", "--host", "127.0.0.1", "--ice-address", "127.0.0.1", "--workers", "1"]
    command = [sys.executable, "-m", "liveness", "serve", *loopback, "--port", str(port)]
    with Popen(command) as process:  # noqa: S603 - a command made here
        try:
            _await(f"http://127.0.0.1:{port}/readyz")
            yield f"http://127.0.0.1:{port}", process.kill
        finally:
            process.kill()


def _await(url: str) -> None:
    """Wait until a server answers."""
    deadline = monotonic() + START_TIMEOUT
    while True:
        try:
            with urlopen(url):  # noqa: S310 - an address made here
                return
        except URLError:
            if monotonic() > deadline:
                raise
            sleep(0.1)
