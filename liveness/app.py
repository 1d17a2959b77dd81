"""The aiohttp application: its routes, what every request goes through, its start and its end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path

import cv2
import structlog
from aiohttp import hdrs, web

from liveness.albums import Albums
from liveness.api import frames, keys, models, operations, pages, pictures, sessions, upload, whip
from liveness.api.http import API_KEYS, REGISTRY, SETTINGS, STORE
from liveness.api.keys import ISSUING
from liveness.api.middleware import add_cors_headers, preflight, problems
from liveness.api.models import DOWNLOAD
from liveness.api.pages import add_page_headers
from liveness.api.pictures import ALBUMS
from liveness.api.relaying import RELAY, relay
from liveness.api.seeds import STILLS, Stills
from liveness.apikeys import DEFAULT_NAME, ApiKeys, read_key_file
from liveness.board import Board
from liveness.clients import Clients
from liveness.cores import cores
from liveness.describing import Describer
from liveness.desk import Desk
from liveness.download import Download
from liveness.errors import ModelCorrupt, ModelMissing, SettingsInvalid
from liveness.identifying import Identifying
from liveness.issuing import Issuing
from liveness.keys import KeyFolder
from liveness.measuring import warm
from liveness.models import (
    GTX_FILE,
    Weights,
    find_descriptor_weights,
    find_landmark_weights,
    find_spoof_model,
)
from liveness.registry import Registry
from liveness.relay import Relay
from liveness.rtc.decoding import DecodingThreads
from liveness.scoring import Scoring
from liveness.sealing import Sealing
from liveness.seat import Seat
from liveness.settings import MINIFASNET, NO_MODEL, Settings
from liveness.store.opening import open_store
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel

log = structlog.get_logger(__name__)

WEIGHTS = web.AppKey("weights", Weights)
BOARD = web.AppKey("board", Board)


def create_app(settings: Settings, seat: Seat | None = None) -> web.Application:
    """Make the application; models are loaded when it starts, which raises `ModelError`s.

    `seat`: of a worker among others. Raises `SettingsInvalid` for a file of keys that cannot be
    used.
    """
    app = web.Application(middlewares=[problems, preflight, relay])
    app[SETTINGS] = settings
    in_file = read_key_file(settings.api_key_file) if settings.api_key_file else []
    app[API_KEYS] = ApiKeys([*settings.api_key, *in_file])
    _check_parties(settings, app[API_KEYS])
    for surface in (whip, sessions, pictures, keys, frames, upload, models, operations, pages):
        app.add_routes(surface.routes)
    app.on_response_prepare.append(add_cors_headers)
    app.on_response_prepare.append(add_page_headers)
    app.on_response_prepare.append(_hide_versions)
    app.cleanup_ctx.append(_open_store)  # before all that uses it, and closed after
    app[BOARD] = Board(seat or Seat(url=settings.node_url))
    app[RELAY] = Relay(app[BOARD], settings.max_sessions)
    app.on_startup.append(_start)
    app.on_shutdown.append(_stop)
    return app


async def _hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "liveness"


async def _open_store(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    app[STORE] = store = await open_store(settings.store, settings.data_dir)
    yield
    await store.close()


async def _start(app: web.Application) -> None:
    settings = app[SETTINGS]
    # Sessions share the cores among themselves; threads of OpenCV's own would only get in the way.
    cv2.setNumThreads(1)
    store, board = app[STORE], app[BOARD]
    workers = board.seat.workers
    app[ISSUING] = issuing = Issuing(
        KeyFolder(settings.data_dir),
        store,
        issuer=settings.issuer,
        lifetime=timedelta(seconds=settings.verdict_lifetime),
    )
    await issuing.start()
    app[WEIGHTS], landmarker = await asyncio.to_thread(_load, settings.model_dir)
    threads = await asyncio.to_thread(
        DecodingThreads, -(-cores() // workers), partial(warm, landmarker)
    )
    model = await asyncio.to_thread(_spoof_model, settings)
    scoring = Scoring(model, rate=settings.spoof_rate, threshold=settings.spoof_threshold)
    identifying = Identifying(await asyncio.to_thread(_describer))
    sealing = await asyncio.to_thread(_sealing, settings)
    app[ALBUMS] = Albums(store, sealing, keeping=settings.keep_evidence)
    app[REGISTRY] = registry = Registry(
        settings,
        store,
        landmarker=landmarker,
        threads=threads,
        scoring=scoring,
        identifying=identifying,
        issuing=issuing,
        albums=app[ALBUMS],
        board=board,
    )
    others = {} if model is None else model.digests
    if identifying.describer is not None:
        others = others | _digest(_descriptor_weights())
    registry.weights = others | _digest(app[WEIGHTS])
    # Single pictures get half of the cores at most: the others stay with the sessions.
    desk = Desk(max(1, cores() // (2 * workers)))
    app[STILLS] = Stills(registry, desk, Clients(partial(app[RELAY].mint, "cookie")))

    async def use(path: Path) -> None:
        landmarker = await asyncio.to_thread(Landmarker, path)
        weights = await asyncio.to_thread(find_landmark_weights, settings.model_dir)
        registry.landmarker, registry.weights = landmarker, others | _digest(weights)

    app[DOWNLOAD] = Download(settings.model_url, settings.model_dir / GTX_FILE, use)
    app[DOWNLOAD].follow()
    board.tell(0)
    registry.metrics.workers.set(1)


def _check_parties(settings: Settings, keys: ApiKeys) -> None:
    """Refuse what is meant for relying parties that are none; raises `SettingsInvalid`."""
    if settings.keep_evidence and not keys:
        raise SettingsInvalid("--keep-evidence: without an --api-key nobody could see the pictures")
    unknown = settings.webhooks().keys() - (keys.names or {DEFAULT_NAME})
    if unknown:
        raise SettingsInvalid(f"--webhook: there is no --api-key of the name {min(unknown)}")


def _sealing(settings: Settings) -> Sealing | None:
    """Find the key of pictures, and make it if any are to be kept; raises `SealUnusable`."""
    if settings.keep_evidence:
        log.warning("pictures of sessions are kept")
    if settings.evidence_key_file is not None:
        return Sealing.of_file(settings.evidence_key_file)
    if settings.evidence_key is not None:
        return Sealing.of_text(settings.evidence_key)
    return Sealing.of_folder(settings.data_dir, make=settings.keep_evidence)


async def _stop(app: web.Application) -> None:
    """End them while connections are still open, so that the last words get out."""
    app[BOARD].tell(None)
    await app[DOWNLOAD].close()
    await app[REGISTRY].close()
    await app[STILLS].desk.close()
    await app[ISSUING].close()


@lru_cache(maxsize=1)
def _load(model_dir: Path) -> tuple[Weights, Landmarker]:
    """Load the weights once a process: they are read-only, and 100 MB."""
    weights = find_landmark_weights(model_dir)
    try:
        return weights, Landmarker(weights.path)
    except ValueError as error:
        raise ModelCorrupt(f"{weights.path} cannot be used: {error}") from error


def _digest(weights: Weights) -> dict[str, str]:
    return {weights.name: weights.sha256}


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
