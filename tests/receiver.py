"""A relying party's end of a webhook, on 127.0.0.1."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy

from liveness.hooks import PREFIX

SECRET = bytes(range(32))
WRITTEN = PREFIX + base64.b64encode(SECRET).decode()


class Receiver:
    """Answers with each of `statuses`, then 204; remembers what came, and was signed as it says."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.headers: list[CIMultiDictProxy[str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.silent = False
        self.url = ""

    @property
    def sessions(self) -> list[str]:
        """Of which sessions it was told, each time it was."""
        return [body["id"] for body in self.bodies]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        check(request.headers, body)
        self.headers.append(request.headers)
        self.bodies.append(json.loads(body))
        self.came.set()
        if self.silent:
            await asyncio.sleep(3600)
        status = self.statuses.pop(0) if self.statuses else 204
        moved = {"Location": f"{self.url}/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=moved)

    async def told(self, number: int, within: float = 10.0) -> None:
        """Wait until it was told so often."""
        async with asyncio.timeout(within):
            while len(self.bodies) < number:
                self.came.clear()
                await self.came.wait()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Receiver"]:
        """Take what comes, for as long as the context lasts."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


def check(headers: CIMultiDictProxy[str], body: bytes) -> None:
    """Check a signature, as the standard says it is made."""
    assert headers["content-type"] == "application/json"
    signed = b".".join(
        (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
    )
    digest = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
    assert f"v1,{digest}" in headers["webhook-signature"].split()
