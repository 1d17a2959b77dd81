"""The site of a relying party: pages of its own, at an origin of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

LOOPBACK = "127.0.0.1"

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Bank</title>
  <link rel="icon" href="data:,">
  <style>
    body { margin: 0 auto; max-width: 44rem; padding: 1rem; font: 18px Georgia, serif; }
    button { background: hotpink !important; border-radius: 0 !important; }
    iframe { width: 100%; height: 42rem; border: 0; }
  </style>
</head>
<body>
  <h1>Open an account</h1>
  <div id="check"></div>
  <p>Bank of Example</p>
  <script type="module">SCRIPT</script>
</body>
</html>"""


class Site:
    """Serves the page that it is given, and remembers who came back to `/done` and `/failed`."""

    def __init__(self) -> None:
        self.script = ""
        self.returned: list[str] = []
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/done", self._return)
        app.router.add_get("/failed", self._return)
        self._server = TestServer(app, host=LOOPBACK)

    @property
    def origin(self) -> str:
        return str(self._server.make_url("/").origin())

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE.replace("SCRIPT", self.script), content_type="text/html")

    async def _return(self, request: web.Request) -> web.Response:
        self.returned.append(request.path_qs)
        return await self._page(request)


@asynccontextmanager
async def serving_site() -> AsyncIterator[Site]:
    site = Site()
    async with site._server:  # noqa: SLF001 - its own
        yield site
