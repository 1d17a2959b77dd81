"""The life of the server: start, say where to go, wait for the end, stop."""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterable

import segno
import structlog
from aiohttp import web

from liveness.app import WEIGHTS, create_app
from liveness.errors import LivenessError, SettingsInvalid
from liveness.models import Weights
from liveness.settings import Settings
from liveness.tls import network_addresses, server_context

SHUTDOWN_TIMEOUT = 5.0
"""Seconds that requests under way have to end."""

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status."""
    _configure_logging()
    try:
        asyncio.run(_serve(settings))
    except (LivenessError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    app = create_app(settings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    try:
        context = None if settings.http else server_context(settings.cert_dir)
        await runner.setup()
        site = web.TCPSite(runner, settings.host or None, settings.port, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        for line in greeting(settings, port, app[WEIGHTS], terminal=sys.stdout.isatty()):
            print(line, flush=True)  # noqa: T201 - the first thing that its user wants to know
        await stop.wait()
    finally:
        await runner.cleanup()


def greeting(settings: Settings, port: int, weights: Weights, *, terminal: bool) -> list[str]:
    """Say where to go, and what the weights are; on a terminal with a code for phones."""
    scheme = "http" if settings.http else "https"
    everywhere = settings.host in _EVERYWHERE
    here = "localhost" if everywhere else settings.host
    lines = [f"Open  {_url(scheme, here, port)}"]
    network = [_url(scheme, str(each), port) for each in network_addresses()] if everywhere else []
    if settings.http:
        lines.append("      plain HTTP: browsers give the camera to localhost only")
    elif network:
        lines += [f"or    {url}  from a phone on this network" for url in network]
        lines.append("      the certificate is self-signed: the browser asks once to go on")
        if terminal:
            lines += _code(network[0])
    lines.append(f"Model {weights.name} ({weights.source}): {weights.licence}")
    return lines


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _code(url: str) -> Iterable[str]:
    """Draw a QR code with half blocks, two rows of it in a line of text."""
    rows = [[bool(dark) for dark in row] for row in segno.make(url).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "      " + "".join(blocks[pair] for pair in zip(upper, lower, strict=True))


def _configure_logging() -> None:
    """One line an event on standard error; those of libraries only where something is wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def main(argv: list[str], prog: str | None = None) -> int:
    """Read the settings and serve; returns the exit status."""
    try:
        settings = Settings.from_args(argv, prog)
    except SettingsInvalid as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 2
    return serve(settings)
