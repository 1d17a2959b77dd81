"""What the nets are fed, and the model cards that tell the server so."""

import hashlib
import json
from pathlib import Path

from liveness.train import files
from liveness.vision.card import Card

SIDE = 128
"""Pixels, both ways: what the nets see."""

CLASSES = ("live", "spoof")
"""In the order of the nets' outputs."""

LIVE = CLASSES.index("live")
SPOOF = CLASSES.index("spoof")

MEAN = 127.5
"""Subtracted from 0..255; what is left, divided by `DEVIATION`, lies in -1..1."""
DEVIATION = 127.5


def card_of(model: Path) -> Path:
    """Name the card of a model: beside it, `.toml` for `.onnx`, `.tflite.toml` for `.tflite`."""
    return model.with_suffix(".toml" if model.suffix == ".onnx" else ".tflite.toml")


def write_card(model: Path, *, title: str, threshold: float, crop: float, notes: str = "") -> Card:
    """Write the card of an exported model beside it; `notes` become comments at its head.

    It is read back as the server reads it; raises `CardInvalid`.
    """
    lines = [
        *(f"# {line}".rstrip() for line in notes.splitlines()),
        f"name = {_quoted(title)}",
        f"threshold = {threshold!r}",
        "",
        "[[networks]]",
        f"file = {_quoted(model.name)}",
        f'sha256 = "{hashlib.sha256(model.read_bytes()).hexdigest()}"',
        f"width = {SIDE}",
        f"height = {SIDE}",
        'layout = "NCHW"',
        'channels = "RGB"',
        f"mean = {MEAN}",
        f"deviation = {DEVIATION}",
        f"crop = {crop!r}",
        'output = "logits"',
        f"live = {LIVE}",
    ]
    files.write(card_of(model), "\n".join(lines) + "\n")
    return Card.read(card_of(model))


def _quoted(text: str) -> str:
    return json.dumps(text)  # a TOML basic string has the escapes of JSON
