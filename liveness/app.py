"""The aiohttp application: its routes, what every request goes through, its start and its end."""

import asyncio
from functools import lru_cache
from pathlib import Path

import cv2
from aiohttp import hdrs, web

from liveness.api import operations, pages, sessions, whip
from liveness.api.http import REGISTRY, SETTINGS
from liveness.api.middleware import add_cors_headers, preflight, problems
from liveness.api.pages import add_page_headers
from liveness.errors import ModelCorrupt
from liveness.measuring import measuring_pool
from liveness.models import Weights, find_landmark_weights
from liveness.registry import Registry
from liveness.settings import Settings
from liveness.store.memory import MemoryStore
from liveness.vision.landmarks import Landmarker

WEIGHTS = web.AppKey("weights", Weights)


def create_app(settings: Settings) -> web.Application:
    """Make the application; models are loaded when it starts, which raises `ModelError`s."""
    app = web.Application(middlewares=[problems, preflight])
    app[SETTINGS] = settings
    for surface in (whip, sessions, operations, pages):
        app.add_routes(surface.routes)
    app.on_response_prepare.append(add_cors_headers)
    app.on_response_prepare.append(add_page_headers)
    app.on_response_prepare.append(_hide_versions)
    app.on_startup.append(_start)
    app.on_shutdown.append(_stop)
    return app


async def _hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "liveness"


async def _start(app: web.Application) -> None:
    settings = app[SETTINGS]
    # Sessions share the cores among themselves; threads of OpenCV's own would only get in the way.
    cv2.setNumThreads(1)
    app[WEIGHTS], landmarker = await asyncio.to_thread(_load, settings.model_dir)
    executor = await asyncio.to_thread(measuring_pool, landmarker)
    app[REGISTRY] = Registry(settings, MemoryStore(), landmarker, executor)


async def _stop(app: web.Application) -> None:
    """End them while connections are still open, so that the last words get out."""
    await app[REGISTRY].close()


@lru_cache(maxsize=1)
def _load(model_dir: Path) -> tuple[Weights, Landmarker]:
    """Load the weights once a process: they are read-only, and 100 MB."""
    weights = find_landmark_weights(model_dir)
    try:
        return weights, Landmarker(weights.path)
    except RuntimeError as error:
        raise ModelCorrupt(f"dlib cannot read {weights.path}: {error}") from error
