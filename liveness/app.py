"""The aiohttp application: its routes, what every request goes through, its start and its end."""

import asyncio
from functools import lru_cache
from pathlib import Path

import cv2
import structlog
from aiohttp import hdrs, web

from liveness.api import frames, models, operations, pages, sessions, upload, whip
from liveness.api.http import REGISTRY, SETTINGS
from liveness.api.middleware import add_cors_headers, preflight, problems
from liveness.api.models import DOWNLOAD
from liveness.api.pages import add_page_headers
from liveness.api.seeds import STILLS, Stills
from liveness.clients import Clients
from liveness.describing import Describer
from liveness.desk import Desk
from liveness.download import Download
from liveness.errors import ModelCorrupt, ModelMissing
from liveness.identifying import Identifying
from liveness.measuring import cores, measuring_pool
from liveness.models import (
    GTX_FILE,
    Weights,
    find_descriptor_weights,
    find_landmark_weights,
    find_spoof_model,
)
from liveness.registry import Registry
from liveness.scoring import Scoring
from liveness.settings import MINIFASNET, NO_MODEL, Settings
from liveness.store.memory import MemoryStore
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel

log = structlog.get_logger(__name__)

WEIGHTS = web.AppKey("weights", Weights)


def create_app(settings: Settings) -> web.Application:
    """Make the application; models are loaded when it starts, which raises `ModelError`s."""
    app = web.Application(middlewares=[problems, preflight])
    app[SETTINGS] = settings
    for surface in (whip, sessions, frames, upload, models, operations, pages):
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
    model = await asyncio.to_thread(_spoof_model, settings)
    scoring = Scoring(model, rate=settings.spoof_rate, threshold=settings.spoof_threshold)
    identifying = Identifying(await asyncio.to_thread(_describer))
    registry = Registry(settings, MemoryStore(), landmarker, executor, scoring, identifying)
    app[REGISTRY] = registry
    # Half of the threads at most are lent to single pictures.
    app[STILLS] = Stills(registry, Desk(executor, max(1, cores() // 2)), Clients())

    async def use(weights: Path) -> None:
        registry.landmarker = await asyncio.to_thread(Landmarker, weights)

    app[DOWNLOAD] = Download(settings.model_url, settings.model_dir / GTX_FILE, use)


async def _stop(app: web.Application) -> None:
    """End them while connections are still open, so that the last words get out."""
    await app[DOWNLOAD].close()
    await app[REGISTRY].close()


@lru_cache(maxsize=1)
def _load(model_dir: Path) -> tuple[Weights, Landmarker]:
    """Load the weights once a process: they are read-only, and 100 MB."""
    weights = find_landmark_weights(model_dir)
    try:
        return weights, Landmarker(weights.path)
    except RuntimeError as error:
        raise ModelCorrupt(f"dlib cannot read {weights.path}: {error}") from error


def _describer() -> Describer | None:
    """Make what describes faces.

    Its weights may be missing, in a cut-down installation: then faces are not compared, and the
    log and `/readyz` say so. Raises `ModelCorrupt`.
    """
    try:
        return Describer(_descriptor_weights().path)
    except ModelMissing as error:
        log.warning("no face descriptor: faces are not compared", detail=error.detail)
        return None


@lru_cache(maxsize=1)
def _descriptor_weights() -> Weights:
    """Check them once a process."""
    return find_descriptor_weights()


def _spoof_model(settings: Settings) -> SpoofModel | None:
    """Load the model that was chosen.

    Only the default one may be missing: then there are no scores, and the log, `/readyz` and each
    verdict say so. Raises `ModelMissing`, `ModelCorrupt`.
    """
    if settings.spoof_model == NO_MODEL:
        log.warning("no anti-spoof model was wanted: sessions get no score")
        return None
    card = None if settings.spoof_model == MINIFASNET else Path(settings.spoof_model)
    try:
        model = _load_spoof_model(settings.model_dir, card)
    except ModelMissing as error:
        if card is not None:
            raise
        log.warning("no anti-spoof model: sessions get no score", detail=error.detail)
        return None
    log.info("anti-spoof model", name=model.card.name, licence=model.card.licence)
    return model


@lru_cache(maxsize=1)
def _load_spoof_model(model_dir: Path, card: Path | None) -> SpoofModel:
    """Load it once a process."""
    return find_spoof_model(model_dir, card)
