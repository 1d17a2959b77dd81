"""What the server says first: where to go, and what looks."""

from collections.abc import Iterable

import segno

from liveness.models import Weights
from liveness.settings import NO_MODEL, Settings
from liveness.tls import network_addresses
from liveness.vision.card import Card

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def greeting(settings: Settings, port: int, models: Iterable[str], *, terminal: bool) -> list[str]:
    """Say where to go, and which models look; on a terminal with a code for phones.

    `models`: what `model_lines` says.
    """
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
    if settings.processes > 1:
        lines.append(f"      {settings.processes} processes share the work")
    return [*lines, *models]


def model_lines(settings: Settings, weights: list[Weights], card: Card | None) -> list[str]:
    """Say which models look; `card`: of the anti-spoof model, None where there is none."""
    lines = [f"Model {each.name} ({each.source}): {each.licence}" for each in weights]
    if card is not None:
        licence = card.licence or "its card names no licence"
        return [*lines, f"Model {card.name} (anti-spoof): {licence}"]
    lines.append("      no anti-spoof model: a face on a screen that does what is asked passes")
    if settings.spoof_model != NO_MODEL:
        lines.append("      python -m liveness models brings it")
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
