"""Single pictures as clients send them: JPEG, PNG and WebP, turned upright, of a usable size.

Pillow reads them: it knows their sizes before it decodes anything, and is fuzzed for a living.
"""

import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

import av
import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from liveness.errors import InvalidPicture, TooLarge
from liveness.vision.frame import Luma

MOST_BYTES = 10 * 1024 * 1024
"""Of one packed picture: what a telephone's largest camera makes of 12 million pixels is half."""

MOST_PIXELS = 25_000_000
"""Of one picture: twice what telephones take. Unpacked it has 100 MB for as long as it is read."""

LEAST_SIDE = 32
"""Pixels. No face is found below 80 either; but that is told as one that is not there."""

MOST_READS = 30_000
"""Of a picture's bytes: each of its parts takes two or three. 10 MB in parts of 4 KB take 8000."""

MOST_SCANS = 64
"""Of a JPEG, which a progressive one has ten of: each goes over all pixels, in 8 ms of the largest
pictures, and takes 42 bytes."""

MOST_SEGMENTS = 4096
"""Of a JPEG: a colour profile and XMP of 10 MB have 160."""

LONGEST_SIDE = 1280
"""Pixels to which larger pictures are reduced: as large as video comes, and no face needs more."""

_MEGAPIXEL = 1_000_000

# How the three formats begin.
_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_RIFF, _WEBP = b"RIFF", b"WEBP"

# A marker of a JPEG. In what is packed after the header of a scan 0xFF is stuffed with a zero, or
# marks a place to begin again (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_SCAN, _END = b"\xda", b"\xd9"

# What a camera that was held in another way writes, and what makes its picture upright (EXIF 2.32,
# Orientation). Rotations here are anticlockwise.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {5, 6, 7, 8}

# They also warn of what is odd about a file, in words that the file decides. Python remembers every
# warning that it has shown, so strangers could fill the log and the memory with them.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What Pillow's readers raise for files that are damaged: their checks have no class of their own.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture. `frame`: yuv420p, as video comes; `width`, `height`: before reduction."""

    frame: av.VideoFrame
    width: int
    height: int

    @property
    def luma(self) -> Luma:
        """Its grey values."""
        return Luma.of(self.frame)


class _Content(BytesIO):
    """A picture's bytes, for readers that work through its parts in Python.

    A picture of nothing but empty parts would keep them, and all else, busy for seconds.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on; raises `OSError` when that is asked too often."""
        self._reads += 1
        if self._reads > MOST_READS:
            raise OSError("too many parts")
        return super().read(size)


def read_picture(content: bytes) -> Picture:
    """Unpack a picture; raises `InvalidPicture`, and `TooLarge` before anything is unpacked."""
    if len(content) > MOST_BYTES:
        raise TooLarge(f"The picture is too large: at most {MOST_BYTES // 2**20} MB are taken")
    if not content:
        raise InvalidPicture("The picture is empty")
    try:
        with _open(content) as image:
            orientation = _orientation(image)
            width, height = image.size
            image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: skip detail while unpacking
            upright = _reduce(_rgb(image))
    except _DAMAGED:
        raise InvalidPicture("The picture is damaged: it cannot be read to its end") from None
    if orientation in _UPRIGHT:
        upright = upright.transpose(_UPRIGHT[orientation])
    if orientation in _SIDEWAYS:
        width, height = height, width
    pixels = np.asarray(upright, np.uint8)
    # The very layout of a peer's video, so that everything after this is the same for both.
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
    return Picture(frame, width, height)


def _open(content: bytes) -> ImageFile:
    """Read the header, and no more. The readers' classes are taken directly, one a format."""
    file = _Content(content)
    if content.startswith(_JPEG):
        _check_scans(content)
        return _checked(JpegImageFile(file))
    if content.startswith(_PNG):
        return _checked(PngImageFile(file))
    if content.startswith(_RIFF) and content[8:12] == _WEBP:
        _check_size(*_webp_size(content))  # its reader makes room for the picture at once
        return _checked(WebPImageFile(file))
    raise InvalidPicture("The picture is neither JPEG nor PNG nor WebP")


def _checked(image: ImageFile) -> ImageFile:
    _check_size(*image.size)
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        most = f"at most {MOST_PIXELS // _MEGAPIXEL} million pixels are taken"
        raise TooLarge(f"The picture is too large: {width} x {height}; {most}")
    if min(width, height) < LEAST_SIDE:
        raise InvalidPicture(f"The picture is too small: {width} x {height} pixels")


def _check_scans(content: bytes) -> None:
    """Count the scans of a JPEG; what follows its end, such as a short film, is not looked at."""
    place, scans = len(_JPEG) - 1, 0
    for _ in range(MOST_SEGMENTS):
        marker = _MARKER.search(content, place)
        if marker is None or marker[1] == _END:
            return
        scans += marker[1] == _SCAN
        if scans > MOST_SCANS:
            break
        place = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2], "big")
    raise OSError("too many parts")


def _webp_size(content: bytes) -> tuple[int, int]:
    """Read the size in the first chunk (RFC 9649 sections 2.5 to 2.7)."""
    kind, body = content[12:16], content[20:30]
    if len(body) < 10:  # noqa: PLR2004 - the longest of the three headers
        raise EOFError
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError(kind)


def _orientation(image: ImageFile) -> int:
    """Tell how the camera was held: 1, upright, where that is not said or cannot be read."""
    try:
        held = image.getexif().get(ExifTags.Base.Orientation)
    except _DAMAGED:
        return 1
    return held if isinstance(held, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    """Unpack it. Transparent parts keep the colours that lie under them."""
    if image.mode == "I;16":  # of the upper byte, as Pillow does with 16 bits of colours
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return (image.convert("RGBA") if image.mode in {"P", "PA"} else image).convert("RGB")


def _reduce(image: Image.Image) -> Image.Image:
    longest = max(image.size)
    if longest <= LONGEST_SIDE:
        return image
    share = LONGEST_SIDE / longest
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BOX)
