"""The aiohttp application: its routes, what every request goes through, its start and its end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import cv2
import structlog
from aiohttp import hdrs, web

from liveness.albums import Albums
from liveness.api import frames, keys, models, operations, pages, pictures, sessions, upload, whip
from liveness.api.http import API_KEYS, REGISTRY, SETTINGS, STORE
from liveness.api.keys import ISSUING
from liveness.api.middleware import add_cors_headers, guesses, hosts, preflight, problems
from liveness.api.models import DOWNLOAD
from liveness.api.pages import add_page_headers
from liveness.api.pictures import ALBUMS
from liveness.api.relaying import RELAY, relay
from liveness.api.seeds import STILLS, Stills
from liveness.apikeys import DEFAULT_NAME, ApiKeys, read_key_file
from liveness.board import Board
from liveness.clients import Clients
from liveness.cores import cores
from liveness.desk import Desk
from liveness.download import Download
from liveness.errors import SettingsInvalid
from liveness.identifying import Identifying
from liveness.issuing import Issuing
from liveness.keys import KeyFolder
from liveness.loading import digests, load_describer, load_landmarker, load_spoof_model
from liveness.measuring import warm
from liveness.metrics import Metrics
from liveness.models import GTX_FILE, Weights
from liveness.registry import Registry
from liveness.relay import Relay
from liveness.rtc.decoding import DecodingThreads
from liveness.scoring import Scoring
from liveness.sealing import Sealing
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.sight import Sight
from liveness.store.opening import open_store

log = structlog.get_logger(__name__)

WEIGHTS = web.AppKey("weights", list[Weights])
BOARD = web.AppKey("board", Board)


def create_app(settings: Settings, seat: Seat | None = None) -> web.Application:
    """Make the application; models are loaded when it starts, which raises `ModelError`s.

    `seat`: of a worker among others. Raises `SettingsInvalid` for a file of keys that cannot be
    used.
    """
    app = web.Application(middlewares=[problems, hosts, guesses, preflight, relay])
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
    # Sessions share the cores among themselves; threads of OpenCV's own would only get in the way.
    cv2.setNumThreads(1)
    settings, store, board = app[SETTINGS], app[STORE], app[BOARD]
    app[ISSUING] = issuing = Issuing(
        KeyFolder(settings.data_dir),
        store,
        issuer=settings.issuer,
        lifetime=timedelta(seconds=settings.verdict_lifetime),
    )
    await issuing.start()
    app[ALBUMS] = Albums(
        store, await asyncio.to_thread(_sealing, settings), keeping=settings.keep_evidence
    )
    await _load_models(app)
    # Single pictures get half of this process's cores, and one at least: the sessions come first.
    desk = Desk(max(1, cores() // (2 * board.seat.workers)))
    app[STILLS] = Stills(app[REGISTRY], desk, Clients(partial(app[RELAY].mint, "cookie")))
    app[DOWNLOAD].follow()
    board.tell(0)
    app[REGISTRY].metrics.workers.set(1)


async def _load_models(app: web.Application) -> None:
    """Load the models, and make what uses them: the sessions, and the download of others."""
    settings, board = app[SETTINGS], app[BOARD]
    landmarks, landmarker = await asyncio.to_thread(load_landmarker, settings.model_dir)
    share = -(-cores() // board.seat.workers)
    metrics = Metrics()
    took = metrics.stage
    threads = await asyncio.to_thread(DecodingThreads, share, partial(warm, landmarker), took)
    model = await asyncio.to_thread(load_spoof_model, settings)
    describer, descriptor = await asyncio.to_thread(load_describer)
    app[WEIGHTS] = [landmarks, *descriptor]
    others = digests(descriptor) | ({} if model is None else model.digests)
    scoring = Scoring(
        model, rate=settings.spoof_rate, threshold=settings.spoof_threshold, took=took
    )
    weights = others | digests([landmarks])
    sight = Sight(landmarker, weights, threads, scoring, Identifying(describer, took))
    app[REGISTRY] = Registry(
        settings,
        app[STORE],
        metrics=metrics,
        sight=sight,
        issuing=app[ISSUING],
        albums=app[ALBUMS],
        board=board,
    )

    async def use(_path: Path) -> None:
        load_landmarker.cache_clear()  # it knows what was there before
        weights, sight.landmarker = await asyncio.to_thread(load_landmarker, settings.model_dir)
        sight.weights = others | digests([weights])
        log.info("weights in use", name=weights.name, sha256=weights.sha256)

    app[DOWNLOAD] = Download(settings.model_url, settings.model_dir / GTX_FILE, use)


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
