"""The life of the server: start, say where to go, wait for the end, stop."""

import asyncio
import sys

from liveness.errors import LivenessError, SettingsInvalid
from liveness.greeting import greeting
from liveness.logs import configure_logging
from liveness.process import told_to_stop
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.showing import shown


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    configure_logging(settings.log_format)
    try:
        asyncio.run(_serve(settings) if settings.processes == 1 else _supervise(settings))
    except (LivenessError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    from liveness import worker  # noqa: PLC0415 - a supervisor needs nothing of what this loads

    stop = told_to_stop()
    async with worker.listening(settings, Seat(url=settings.node_url)) as runner:
        _greet(settings, runner.addresses[0][1], worker.models(settings, runner))
        await worker.drained(stop, settings, runner)


async def _supervise(settings: Settings) -> None:
    from liveness.supervisor import Supervisor  # noqa: PLC0415 - a single process needs none

    stop = told_to_stop()
    async with Supervisor.running(settings) as supervisor:
        _greet(settings, supervisor.port, supervisor.models)
        await stop.told.wait()
        await stop.grace(supervisor.drain(), settings.drain_seconds)


def _greet(settings: Settings, port: int, models: list[str]) -> None:
    for line in greeting(settings, port, models, terminal=sys.stdout.isatty()):
        print(line, flush=True)  # noqa: T201 - the first thing that its user wants to know


def main(argv: list[str], prog: str | None = None) -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = Settings.from_args(argv, prog)
    except SettingsInvalid as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 2
    if settings.show_settings:
        print(*shown(settings), sep="\n")  # noqa: T201 - what was asked for
        return 0
    return serve(settings)
