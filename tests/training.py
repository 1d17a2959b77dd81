"""Small data sets of generated faces for the training's tests; PyTorch, or a visible skip."""

import os
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture

SIDE = 128
SPECIES = ("print", "replay")
FORMATS = ("jpg", "webp", "png")


def require_torch() -> None:
    """Skip the calling test module without the extra `train`; on CI that is a failure."""
    if find_spec("torch") is None:
        why = "the extra `train` is not installed: pip install -r requirements-train.txt"
        if os.environ.get("CI") == "true":
            pytest.fail(why, pytrace=False)
        pytest.skip(why, allow_module_level=True)


def generate(root: Path, *, train: int, held_out: int, seed: int = 0) -> Path:
    """Write a data set with so many pictures a class; the splits share no pose and no artefact."""
    portrait = Portrait.astronaut()
    for index, (split, count) in enumerate(
        (("train", train), ("val", held_out), ("test", held_out))
    ):
        random = np.random.default_rng((seed, index))
        for number in range(count):
            species = SPECIES[number % len(SPECIES)]
            file = f"{number}.{FORMATS[number % len(FORMATS)]}"  # alike in both classes
            _write(root / split / "live" / file, _face(portrait, random))
            attack = _ATTACKS[species](_face(portrait, random), random)
            _write(root / split / "spoof" / species / file, attack)
    return root


def _face(portrait: Portrait, random: np.random.Generator) -> Picture:
    """A face in some pose and light, before a noisy camera: (SIDE, SIDE, 3) uint8 BGR."""
    angles = random.uniform(-12, 12, size=3)
    frame = portrait.render(yaw=angles[0], pitch=angles[1], roll=angles[2])
    width, height = portrait.size
    x, y = (np.array([width / 2, 0.47 * height]) + random.uniform(-8, 8, size=2)).astype(int)
    cut = frame[y - 110 : y + 110, x - 110 : x + 110]
    small = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lit = small * random.uniform(0.7, 1.2) + random.normal(0, 2.0, small.shape)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _print(face: Picture, random: np.random.Generator) -> Picture:
    """Dots of a printing screen, and paper's poor contrast."""
    turn, period = random.uniform(0.2, 1.3), random.uniform(3.5, 5.5)
    u, v = _turned(turn)
    dots = np.cos(2 * np.pi * u / period) * np.cos(2 * np.pi * v / period)
    flat = 60 + 0.6 * face.astype(np.float32)
    return np.asarray(np.clip(flat + 26 * dots[..., None], 0, 255), np.uint8)


def _replay(face: Picture, random: np.random.Generator) -> Picture:
    """Interference of a screen's lines with a camera's, different in each colour."""
    u, _ = _turned(random.uniform(0, np.pi))
    phases, period = random.uniform(0, 2 * np.pi, size=3), random.uniform(5, 9)
    waves = np.cos(2 * np.pi * u[..., None] / period + phases)
    return np.asarray(np.clip(face * (1 + 0.16 * waves) + 8, 0, 255), np.uint8)


def _turned(angle: float) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    across = np.cos(angle) * columns + np.sin(angle) * rows
    return across, np.cos(angle) * rows - np.sin(angle) * columns


_ATTACKS = {"print": _print, "replay": _replay}


def _write(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
