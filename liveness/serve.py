"""The life of the server: start, say where to go, wait for the end, stop."""

import asyncio
import os
import sys

import structlog

from liveness.console import say
from liveness.errors import LivenessError, SettingsInvalid
from liveness.flags import strays
from liveness.greeting import greeting
from liveness.logs import configure_logging
from liveness.process import STOP_LIMIT, allow_many_files, end_within, told_to_stop
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.showing import shown

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    configure_logging(settings.log_format)
    for stray in strays(Settings, os.environ):
        log.warning("unknown variable", detail=stray)
    allow_many_files()
    try:
        asyncio.run(_serve(settings) if settings.processes == 1 else _supervise(settings))
    except (LivenessError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    from liveness import worker  # noqa: PLC0415 - a supervisor needs nothing of what this loads

    stop = told_to_stop()
    async with worker.listening(settings, Seat(url=settings.node_url)) as serving:
        _greet(settings, serving.port, worker.models(settings, serving.app))
        await worker.drained(stop, settings, serving.app)
        end_within(STOP_LIMIT)


async def _supervise(settings: Settings) -> None:
    from liveness.supervisor import Supervisor  # noqa: PLC0415 - a single process needs none

    stop = told_to_stop()
    async with Supervisor.running(settings) as supervisor:
        _greet(settings, supervisor.port, supervisor.models)
        await stop.told.wait()
        await stop.grace(supervisor.drain(), settings.drain_seconds)


def _greet(settings: Settings, port: int, models: list[str]) -> None:
    say(*greeting(settings, port, models, terminal=sys.stdout.isatty()))


def main(argv: list[str], prog: str | None = None) -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = Settings.from_args(argv, prog)
    except SettingsInvalid as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 2
    if settings.show_settings:
        say(*shown(settings))
        for stray in strays(Settings, os.environ):
            print(stray, file=sys.stderr)  # noqa: T201 - a word to whoever asked
        return 0
    return serve(settings)
