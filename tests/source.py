"""A source of weights on 127.0.0.1, and small weights of its own that dlib really can load."""

import asyncio
import bz2
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dlib
import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer

LOOPBACK = "127.0.0.1"
NAME = "shape_predictor_68_face_landmarks_GTX.dat.bz2"


@cache
def predictor(parts: int = 68) -> bytes:
    """Train a shape predictor of `parts` landmarks that knows nothing, in a few milliseconds."""
    options = dlib.shape_predictor_training_options()
    options.oversampling_amount = options.cascade_depth = 1
    options.tree_depth, options.num_trees_per_cascade_level = 3, 40
    options.feature_pool_size, options.num_test_splits = 40, 3
    picture = np.random.default_rng(0).integers(0, 255, (120, 120), dtype=np.uint8)
    box = dlib.rectangle(10, 10, 100, 100)
    points = [dlib.point(10 + at, 20 + at * 7 % 60) for at in range(parts)]
    shown = dlib.full_object_detection(box, points)
    trained = dlib.train_shape_predictor([picture, picture], [[shown], [shown]], options)
    with TemporaryDirectory() as place:
        path = Path(place) / "predictor.dat"
        trained.save(str(path))
        return path.read_bytes()


class Source:
    """Serves `content`, with parts of it on demand, and does what a test wants to go wrong.

    `breaks`: how many answers end in the middle. `pause`: seconds between two halves of an answer.
    """

    def __init__(
        self, content: bytes | None = None, *, breaks: int = 0, pause: float = 0.0
    ) -> None:
        self.content = bz2.compress(predictor()) if content is None else content
        self.breaks = breaks
        self.pause = pause
        self.tag: str | None = '"one"'
        self.status = 200
        self.sized = True
        self.asked: list[str | None] = []
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range"))
        self.waiting.set()
        await self.go.wait()
        if self.status != 200:
            return web.Response(status=self.status)
        start = 0
        asked = request.headers.get("Range")
        if asked is not None and request.headers.get("If-Range") == self.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                return web.Response(status=416)
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            last = len(self.content) - 1
            response.headers["Content-Range"] = f"bytes {start}-{last}/{len(self.content)}"
        if self.tag is not None:
            response.headers["ETag"] = self.tag
        left = self.content[start:]
        if self.sized:
            response.content_length = len(left)
        await response.prepare(request)
        await response.write(left[: len(left) // 2])
        await asyncio.sleep(self.pause)
        if self.breaks:
            self.breaks -= 1
            await asyncio.sleep(0.05)  # so that what was sent is read before the end is
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(left[len(left) // 2 :])
        return response


@asynccontextmanager
async def serving_source(source: Source, port: int | None = None) -> AsyncIterator[Source]:
    """Run it, by default on a free port."""
    app = web.Application()
    app.router.add_get(f"/{NAME}", source.answer)
    async with TestServer(app, host=LOOPBACK, port=port) as server:
        source.url = str(server.make_url(f"/{NAME}"))
        yield source
