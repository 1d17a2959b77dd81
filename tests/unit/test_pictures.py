import random
import struct
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from liveness import pictures
from liveness.errors import InvalidPicture, LivenessError, TooLarge
from liveness.pictures import LONGEST_SIDE, MOST_BYTES, Picture, read_picture

FORMATS = ("JPEG", "PNG", "WEBP")


def marked(width: int = 96, height: int = 64) -> Image.Image:
    """A dark picture whose upper left quarter is bright."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[: height // 2, : width // 2] = 220
    return Image.fromarray(pixels)


def packed(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bright_corner(picture: Picture) -> str:
    luma = picture.luma.picture
    height, width = luma.shape
    rows = slice(0, height // 2), slice(height // 2, None)
    columns = slice(0, width // 2), slice(width // 2, None)
    means = {
        f"{up}{side}": luma[rows[row], columns[column]].mean()
        for row, up in enumerate(("upper ", "lower "))
        for column, side in enumerate(("left", "right"))
    }
    return max(means, key=lambda corner: float(means[corner]))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    picture = read_picture(packed(marked(), kind))
    assert (picture.width, picture.height) == (96, 64)
    assert picture.frame.format.name == "yuv420p"
    assert bright_corner(picture) == "upper left"
    assert 170 < picture.luma.picture[:24, :40].mean() < 215, "luma as video has it, 16 to 235"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    upright = marked()
    held = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    taken = upright.transpose(held[orientation]) if orientation in held else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(packed(taken, kind, exif=exif.tobytes()))
    assert (picture.width, picture.height) == (96, 64)
    assert (picture.frame.width, picture.frame.height) == (96, 64)
    assert bright_corner(picture) == "upper left"


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK", "I;16"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    source = marked().convert("L") if mode == "I;16" else marked()
    picture = read_picture(packed(source.convert(mode), kind))
    assert (picture.width, picture.height) == (96, 64)


def test_sixteen_bits_of_grey_are_as_bright_as_eight() -> None:
    grey = np.asarray(marked().convert("L"))
    fine = Image.fromarray(grey.astype(np.uint16) * 257)
    expected, seen = (read_picture(packed(each, "PNG")) for each in (Image.fromarray(grey), fine))
    assert (seen.luma.picture == expected.luma.picture).all()


def test_a_palette_may_have_transparent_colours() -> None:
    content = packed(marked().convert("P"), "PNG", transparency=bytes([0, 128, 255]))
    assert bright_corner(read_picture(content)) == "upper left"


@pytest.mark.parametrize("kind", FORMATS)
def test_large_pictures_are_reduced_and_remember_their_size(kind: str) -> None:
    picture = read_picture(packed(marked(3000, 2000), kind))
    assert (picture.width, picture.height) == (3000, 2000)
    assert max(picture.frame.width, picture.frame.height) == LONGEST_SIDE
    assert picture.frame.width / picture.frame.height == pytest.approx(1.5, abs=0.01)
    assert bright_corner(picture) == "upper left"


def png_of(width: int, height: int) -> bytes:
    """Say that a picture is that large, without being it."""
    content = bytearray(packed(marked(), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def jpeg_of(width: int, height: int) -> bytes:
    content = bytearray(packed(marked(), "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def webp_of(kind: bytes, width: int, height: int) -> bytes:
    across, down = width - 1, height - 1
    if kind == b"VP8X":
        body = bytes(4) + across.to_bytes(3, "little") + down.to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + (across | down << 14).to_bytes(4, "little") + bytes(5)
    else:
        body = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF\x00\x01\x00\x00WEBP" + kind + struct.pack("<I", 10) + body + bytes(200)


@pytest.mark.parametrize(
    "content",
    [
        png_of(30_000, 30_000),
        jpeg_of(60_000, 60_000),
        webp_of(b"VP8X", 16_000_000, 16_000_000),
        webp_of(b"VP8L", 16_000, 16_000),
        webp_of(b"VP8 ", 16_000, 16_000),
    ],
    ids=["png", "jpeg", "vp8x", "vp8l", "vp8"],
)
def test_what_would_unpack_to_too_much_is_not_unpacked(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(*_: object) -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(pictures, "_rgb", unpack)
    with pytest.raises(TooLarge, match="million pixels"):
        read_picture(content)


@pytest.mark.parametrize("lossless", [True, False])
def test_sizes_of_webp_are_read_right(lossless: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    seen = []
    monkeypatch.setattr(pictures, "_check_size", lambda *size: seen.append(size))
    exif = Image.Exif()
    exif[0x0112] = 1
    for options in ({}, {"exif": exif.tobytes()}):
        read_picture(packed(marked(), "WEBP", lossless=lossless, **options))
    assert set(seen) == {(96, 64)}


def test_too_many_bytes_are_not_looked_at() -> None:
    with pytest.raises(TooLarge, match="10 MB"):
        read_picture(bytes(MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(100), "neither JPEG nor PNG nor WebP"),
        (b"%PDF-1.7", "neither JPEG nor PNG nor WebP"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"RIFF\x00\x00\x00\x00WEBP", "damaged"),
        (b"RIFF\x00\x00\x00\x00WEBPJUNK" + bytes(50), "damaged"),
        (packed(marked(20, 20), "PNG"), "too small"),
    ],
)
def test_what_is_no_picture_is_said(content: bytes, said: str) -> None:
    with pytest.raises(InvalidPicture, match=said):
        read_picture(content)


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_pictures_are_damaged(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    content = packed(Image.fromarray(noise), kind)
    for length in range(12, len(content) - 16, 97):
        with pytest.raises(InvalidPicture, match=r"damaged|too small"):
            read_picture(content[:length])


WHOLE = [packed(marked(), kind) for kind in FORMATS] + [
    packed(marked(), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08" + bytes(20)),
    packed(marked(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12" + bytes(20)),
]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as `pictures` has it outside of tests
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 2**32))
def test_damaged_pictures_are_read_or_refused(content: bytes, seed: int) -> None:
    generator = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(generator.randint(1, 12)):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    if generator.random() < 0.3:
        del damaged[generator.randrange(len(damaged)) :]
    with suppress(InvalidPicture, TooLarge):
        assert read_picture(bytes(damaged)).frame.width >= 1


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8L"]),
)
def test_noise_is_refused(noise: bytes, head: bytes) -> None:
    with pytest.raises(LivenessError):
        read_picture(head + noise)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Pack a part of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def in_small_parts(content: bytes, size: int) -> bytes:
    """A PNG whose pixels are in parts of so many bytes."""
    place, parts, pixels = 8, [content[:8]], b""
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if kind == b"IDAT":
            pixels += body
        elif kind == b"IEND":
            parts += [chunk(b"IDAT", pixels[at : at + size]) for at in range(0, len(pixels), size)]
        if kind != b"IDAT":
            parts.append(chunk(kind, body))
        place += 12 + length
    return b"".join(parts)


def noisy_png(side: int) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
    return packed(Image.fromarray(pixels), "PNG")


def test_pictures_in_many_parts_are_read() -> None:
    content = in_small_parts(noisy_png(1000), 4096)
    assert read_picture(content).width == 1000


def jpeg_in_scans(scans: int) -> bytes:
    """A progressive picture whose last scan is there again and again."""
    content = packed(marked(), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * (scans - content.count(b"\xff\xda")) + b"\xff\xd9"


def test_progressive_pictures_are_read_and_what_follows_them_is_not_looked_at() -> None:
    assert read_picture(jpeg_in_scans(20)).width == read_picture(jpeg_in_scans(10)).width
    film = b"\xff\xd9" + b"\xff\xda" * 1000
    assert read_picture(jpeg_in_scans(10) + film).width == read_picture(jpeg_in_scans(10)).width


@pytest.mark.parametrize(
    "content",
    [
        jpeg_in_scans(100),
        in_small_parts(noisy_png(200), 4),
        packed(marked(), "PNG")[:33] + 40_000 * chunk(b"teST", b""),
        b"\xff\xd8" + 40_000 * b"\xff\xfe\x00\x02" + packed(marked(), "JPEG")[2:],
        b"\xff\xd8" + 40_000 * b"\xff" + packed(marked(), "JPEG")[3:],
    ],
    ids=[
        "JPEG of scans",
        "PNG in parts of four bytes",
        "PNG of nothing",
        "JPEG of comments",
        "JPEG of fill",
    ],
)
def test_pictures_of_little_but_parts_are_refused(content: bytes) -> None:
    """They would take a thread, and Python's lock, for as long as their sender likes."""
    with pytest.raises(InvalidPicture):
        read_picture(content)
