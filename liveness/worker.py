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
from functools import partial

import structlog
from aiohttp import web

from liveness.api.http import REGISTRY
from liveness.app import WEIGHTS, create_app
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


@asynccontextmanager
async def listening(
    settings: Settings, seat: Seat, sockets: Sequence[socket.socket] = ()
) -> AsyncIterator[web.AppRunner]:
    """Serve for as long as the context lasts; on sockets that are bound already, if there are any.

    Raises `LivenessError`, `OSError`.
    """
    runner = web.AppRunner(
        create_app(settings, seat), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT
    )
    try:
        context = None if settings.http else server_context(settings.cert_dir)
        await runner.setup()
        if seat.folder is not None:
            await web.UnixSite(runner, door(seat.folder, seat.slot)).start()
        for bound in sockets:
            await web.SockSite(runner, bound, ssl_context=context).start()
        if not sockets:
            host = settings.host or None
            await web.TCPSite(runner, host, settings.port, ssl_context=context).start()
        yield runner
    finally:
        await runner.cleanup()


def models(settings: Settings, runner: web.AppRunner) -> list[str]:
    """Say which models look."""
    model = runner.app[REGISTRY].classifier
    return model_lines(settings, runner.app[WEIGHTS], None if model is None else model.card)


async def drained(stop: Stop, settings: Settings, runner: web.AppRunner) -> None:
    """Wait until told to stop, and then for the sessions that run, as long as they may take."""
    await stop.told.wait()
    await stop.grace(runner.app[REGISTRY].drain(), settings.drain_seconds)


async def _work(orders: Orders, say: Callable[[dict[str, object]], None]) -> None:
    stop, orphaned = told_to_stop(worker=True), threading.Event()
    hurry = partial(stop.tell, at_once=True)
    tell = partial(asyncio.get_running_loop().call_soon_threadsafe, hurry)
    threading.Thread(target=_end_with_parent, args=(tell, orphaned), daemon=True).start()
    sockets = [socket.socket(fileno=number) for number in orders.sockets]
    async with listening(orders.settings, orders.seat, sockets) as runner:
        say({"models": models(orders.settings, runner)})
        await drained(stop, orders.settings, runner)
    if orphaned.is_set() and orders.seat.folder is not None:
        shutil.rmtree(orders.seat.folder, ignore_errors=True)  # as the others do


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
