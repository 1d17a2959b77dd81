"""The process that serves: alone, or as one of the workers that a supervisor keeps running.

A worker is begun with `python -m liveness.worker`. On its standard input come its `Orders`, and the
end of that when the supervisor is gone, however it went. On its standard output it says in a line
of JSON that it is ready, `{"models": [...]}`, or why it will not be, `{"error": "..."}`.
"""

import asyncio
import json
import os
import pickle
import shutil
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import web

from liveness.api.http import REGISTRY
from liveness.app import WEIGHTS, create_app
from liveness.board import BEAT_INTERVAL, Board
from liveness.connections import GOODBYE_LIMIT, HEADER_LIMIT, Complaints, Connection
from liveness.errors import LivenessError
from liveness.greeting import model_lines
from liveness.logs import configure_logging
from liveness.metrics import share
from liveness.orders import Orders
from liveness.process import STOP_LIMIT, Stop, told_to_stop
from liveness.seat import Seat, door
from liveness.settings import Settings
from liveness.tls import server_context

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that requests under way have to end."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and where."""

    app: web.Application
    port: int


@asynccontextmanager
async def listening(
    settings: Settings,
    seat: Seat,
    sockets: Sequence[socket.socket] = (),
    *,
    patience: float = SHUTDOWN_TIMEOUT,
) -> AsyncIterator[Serving]:
    """Serve for as long as the context lasts; on sockets that are bound already, if there are any.

    `patience`: seconds that requests under way have to end. Raises `LivenessError`, `OSError`.
    """
    runner = web.AppRunner(create_app(settings, seat), shutdown_timeout=patience)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Complaints())
    listeners: list[asyncio.Server] = []
    try:
        tls = {} if settings.http else _tls(settings)
        await runner.setup()
        connect = partial(Connection, cast("web.Server", runner.server))
        if seat.folder is not None:
            own = door(seat.folder, seat.slot)
            listeners.append(await loop.create_unix_server(connect, own))
        for bound in sockets:
            listener = await loop.create_server(connect, sock=bound, **tls)
            listeners.append(listener)
        if not sockets:
            host = settings.host or None
            listeners.append(await loop.create_server(connect, host, settings.port, **tls))
        yield Serving(runner.app, listeners[-1].sockets[0].getsockname()[1])
    finally:
        for each in listeners:
            each.close()
        await runner.cleanup()


def _tls(settings: Settings) -> dict[str, Any]:
    return {
        "ssl": server_context(settings.cert_dir),
        "ssl_handshake_timeout": HEADER_LIMIT,
        "ssl_shutdown_timeout": GOODBYE_LIMIT,
    }


def models(settings: Settings, app: web.Application) -> list[str]:
    """Say which models look."""
    model = app[REGISTRY].sight.classifier
    return model_lines(settings, app[WEIGHTS], None if model is None else model.card)


async def drained(stop: Stop, settings: Settings, app: web.Application) -> None:
    """Wait until told to stop, and then for the sessions that run, as long as they may take."""
    await stop.told.wait()
    await stop.grace(app[REGISTRY].drain(), settings.drain_seconds)


async def _work(orders: Orders, say: Callable[[dict[str, object]], None]) -> None:
    stop, orphaned = told_to_stop(worker=True), threading.Event()
    hurry = partial(stop.tell, at_once=True)
    tell = partial(asyncio.get_running_loop().call_soon_threadsafe, hurry)
    threading.Thread(target=_end_with_parent, args=(tell, orphaned), daemon=True).start()
    sockets = [socket.socket(fileno=number) for number in orders.sockets]
    beating = asyncio.create_task(_beat(Board(orders.seat)), name="beat")
    async with listening(orders.settings, orders.seat, sockets) as serving:
        say({"models": models(orders.settings, serving.app)})
        await drained(stop, orders.settings, serving.app)
    beating.cancel()
    if orphaned.is_set() and orders.seat.folder is not None:
        shutil.rmtree(orders.seat.folder, ignore_errors=True)  # as the others do


async def _beat(board: Board) -> None:
    while True:
        board.beat()
        await asyncio.sleep(BEAT_INTERVAL)


def _end_with_parent(tell: Callable[[], object], orphaned: threading.Event) -> None:
    """Wait until the supervisor is gone, and end this process: in good order, if that can be."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    orphaned.set()
    with suppress(RuntimeError):  # the loop has ended
        tell()
    time.sleep(STOP_LIMIT)
    os._exit(1)


def main() -> int:
    """Do as ordered; returns the exit status."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as supervisor:
        # Whatever else is printed is not for the supervisor.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def say(report: dict[str, object]) -> None:
            with suppress(BrokenPipeError):
                print(json.dumps(report), file=supervisor, flush=True)

        orders: Orders = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own program
        configure_logging(orders.settings.log_format)
        structlog.contextvars.bind_contextvars(worker=orders.seat.slot)
        if orders.seat.folder is not None:
            share(orders.seat.folder, orders.seat.slot)
        try:
            asyncio.run(_work(orders, say))
        except (LivenessError, OSError) as error:
            say({"error": str(error)})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
