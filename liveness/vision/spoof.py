"""Live skin, or a print or a screen: classifiers of single pictures, fed as their card says."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.errors import ModelCorrupt, ModelMissing
from liveness.vision.card import Card, Network, Output
from liveness.vision.crop import Colours, FaceBox, colours, cut_out
from liveness.vision.observation import Face, Landmarks, Observation

MOST_YAW = 25.0
"""Degrees. The networks were trained on faces that look at the camera: genuine ones score .97 and
more up to here, and down to .38 beyond."""

MOST_GAIN = 6.0
"""By how much a picture is brightened at most. Real clips at .18 of their light, of which the
challenges refuse most as too dark, need 5 to 6 to look as they did; beyond, little but the camera's
noise would be seen."""

SMOOTHING = 0.8
"""Pixels, sigma of the Gaussian that takes from a picture the noise that brightening would show.
The networks take noise for an attack's: behind VP8, two rendered people at .3 of their light score
.80 and .71 without, .92 and .78 with it, and a tablet .31 and .15."""

FULLY_SMOOTHED = 3.0
"""The gain from which on all of that is done, and none at 1: a picture that needs little light has
hardly more noise, and loses detail."""

Numbers = NDArray[np.float32]


def usable(observation: Observation) -> Face | None:
    """Give the face if it can be scored: the only one, and not turned far."""
    face = observation.face
    if face is None or observation.faces != 1 or abs(face.pose.yaw) > MOST_YAW:
        return None
    return face


class SpoofModel:
    """The networks of a card. One serves every session; thread-safe.

    `digests`: of their files, SHA-256, by name.
    """

    def __init__(self, card: Card, folder: Path) -> None:
        """Load the networks' files from `folder`; raises `ModelMissing`, `ModelCorrupt`."""
        self.card = card
        self._scorers = tuple(_Scorer(network, folder) for network in card.networks)
        self.digests = {each.file: each.sha256 for each in self._scorers}

    def score(self, frame: av.VideoFrame, points: Landmarks) -> float:
        """Tell how likely the face with these (68, 2) landmarks is a live one: 0..1."""
        box = FaceBox.around(points)
        return float(np.mean([each.score(frame, box) for each in self._scorers]))


class _Runtime(Protocol):
    """What runs a network: (1, ...) float32 in, whatever the network gives out."""

    def run(self, pixels: Numbers) -> Numbers: ...


class _Scorer:
    def __init__(self, network: Network, folder: Path) -> None:
        path = folder / network.file
        content = _content(path)
        self.file = network.file
        self.sha256 = hashlib.sha256(content).hexdigest()
        if network.sha256 not in {None, self.sha256}:
            raise ModelCorrupt(f"{path} has the SHA-256 {self.sha256}, not {network.sha256}")
        self._network = network
        self._mean = np.array(network.mean, np.float32)
        self._deviation = np.array(network.deviation, np.float32)
        self._runtime: _Runtime = (_Tflite if path.suffix == ".tflite" else _Onnx)(path, content)
        try:
            self._live(np.zeros((network.height, network.width, 3), np.uint8))
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise ModelCorrupt(f"{path} does not do what its card says: {error}") from error

    def score(self, frame: av.VideoFrame, box: FaceBox) -> float:
        network = self._network
        part = cut_out(box, network.crop, frame.width, frame.height)
        picture = colours(frame, part)
        if network.light is not None:
            picture = brightened(picture, network.light / max(grey_of(frame, box), 1.0))
        # As the published code reduces its pictures: the networks know the artefacts of it.
        size = (network.width, network.height)
        return self._live(np.asarray(cv2.resize(picture, size), np.uint8))

    def _live(self, picture: Colours) -> float:
        network = self._network
        if network.channels == "RGB":
            picture = picture[..., ::-1]
        pixels = (picture.astype(np.float32) - self._mean) / self._deviation
        if network.layout == "NCHW":
            pixels = pixels.transpose(2, 0, 1)
        return live_share(self._runtime.run(np.ascontiguousarray(pixels[None])), network)


def grey_of(frame: av.VideoFrame, box: FaceBox) -> float:
    """Measure how bright a face is: the mean grey of its box, 0..255."""
    face = colours(frame, cut_out(box, 1.0, frame.width, frame.height))
    return float(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).mean())


def brightened(picture: Colours, gain: float) -> Colours:
    """Smooth `picture` and multiply it, by `MOST_GAIN` at most; it is never darkened."""
    if gain <= 1:
        return picture
    gain = min(gain, MOST_GAIN)
    sigma = SMOOTHING * min((gain - 1) / (FULLY_SMOOTHED - 1), 1.0)
    return np.asarray(
        cv2.convertScaleAbs(cv2.GaussianBlur(picture, (0, 0), sigma), alpha=gain), np.uint8
    )


def live_share(output: NDArray[np.floating[Any]], network: Network) -> float:
    """Read a network's output as its card says: 0..1, 1 is live; raises `ValueError`."""
    values = np.asarray(output, np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise ValueError("the output is no number")
    if network.output.single:
        if values.size != 1:
            raise ValueError(f"{values.size} numbers came out, not one")
        value = 1 / (1 + np.exp(-values[0])) if network.output is Output.LOGIT else values[0]
        share = value if network.live == 1 else 1 - value
    else:
        if not network.live < values.size > 1:
            raise ValueError(f"there is no class {network.live} among {values.size}")
        if network.output is Output.LOGITS:
            values = np.exp(values - values.max())
            values /= values.sum()
        share = values[network.live]
    return float(np.clip(share, 0.0, 1.0))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelMissing(f"{path} is not there") from None
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}") from error


# What networks may take, by ONNX Runtime's names.
_KINDS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}


class _Onnx:
    """ONNX Runtime on one thread: sessions share the cores among themselves."""

    def __init__(self, path: Path, content: bytes) -> None:
        import onnxruntime  # noqa: PLC0415 - a fifth of a second that only scoring needs

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: its warnings are about what it optimises
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            given = _only("input", self._session.get_inputs())
            self._input = given.name
            self._kind = {"dtype": _KINDS[given.type], "quantization": (1.0, 0)}
            _only("output", self._session.get_outputs())
        except KeyError as error:
            raise ModelCorrupt(f"{path} takes {error}, which no picture is") from error
        except Exception as error:  # its exceptions have no common class of their own
            raise ModelCorrupt(f"ONNX Runtime cannot take {path}: {error}") from error

    def run(self, pixels: Numbers) -> Numbers:
        try:
            results = self._session.run(None, {self._input: _quantised(pixels, self._kind)})
        except Exception as error:  # as above
            raise RuntimeError(str(error)) from error
        return np.asarray(results[0], np.float32)


class _Tflite:
    """LiteRT, TensorFlow Lite's successor; an interpreter is for one thread at a time."""

    def __init__(self, path: Path, content: bytes) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra
        except ImportError:
            raise ModelMissing(f'{path} needs LiteRT: pip install "liveness[tflite]"') from None
        self._lock = threading.Lock()
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
            self._given = _only("input", self._interpreter.get_input_details())
            self._result = _only("output", self._interpreter.get_output_details())
        except (ValueError, RuntimeError) as error:
            raise ModelCorrupt(f"LiteRT cannot take {path}: {error}") from error

    def run(self, pixels: Numbers) -> Numbers:
        """Run it; numbers of a quantised network are taken in and out by its scales."""
        with self._lock:
            self._interpreter.set_tensor(self._given["index"], _quantised(pixels, self._given))
            self._interpreter.invoke()
            return _plain(self._interpreter.get_tensor(self._result["index"]), self._result)


def _only(what: str, found: Sequence[Any]) -> Any:
    if len(found) != 1:
        raise ValueError(f"it has {len(found)} {what}s and not one")
    return found[0]


def _quantised(values: Numbers, details: dict[str, Any]) -> NDArray[Any]:
    scale, zero = details["quantization"]
    kind = np.dtype(details["dtype"])
    if not scale or kind.kind == "f":
        return np.asarray(values, kind)
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.round(values / scale + zero), limits.min, limits.max), kind)


def _plain(values: NDArray[Any], details: dict[str, Any]) -> Numbers:
    scale, zero = details["quantization"]
    if not scale or values.dtype.kind == "f":
        return np.asarray(values, np.float32)
    return np.asarray((values.astype(np.float32) - zero) * scale, np.float32)
