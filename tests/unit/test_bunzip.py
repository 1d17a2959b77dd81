import bz2
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.bunzip import Bunzip, NotBzip2, TooMuch


def unpack(packed: bytes, pieces: int = 7, most: int = 10**7) -> tuple[bytes, bool]:
    content = bytearray()
    bunzip = Bunzip(content.extend, most)
    for start in range(0, len(packed), pieces):
        bunzip.feed(packed[start : start + pieces])
    return bytes(content), bunzip.complete


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=3), st.integers(1, 500))
def test_what_was_packed_comes_out(streams: list[bytes], pieces: int) -> None:
    packed = b"".join(bz2.compress(stream) for stream in streams)
    assert unpack(packed, pieces) == (b"".join(streams), True)


@given(st.integers(0, 60), st.integers(1, 100))
def test_an_end_that_is_missing_is_noticed(missing: int, pieces: int) -> None:
    packed = bz2.compress(random.Random(0).randbytes(500))
    assert unpack(packed[: len(packed) - missing], pieces)[1] is (missing == 0)


@pytest.mark.parametrize("packed", [b"<html>", b"BZx", bz2.compress(b"1") + b"more"])
def test_other_things_are_refused(packed: bytes) -> None:
    with pytest.raises(NotBzip2):
        unpack(packed)


def test_a_damaged_block_is_noticed() -> None:
    packed = bytearray(bz2.compress(random.Random(0).randbytes(5000)))
    packed[3000] ^= 0xFF
    with pytest.raises(NotBzip2):
        unpack(bytes(packed))


def test_no_more_is_unpacked_than_was_agreed() -> None:
    bomb = bz2.compress(bytes(200_000_000))
    assert len(bomb) < 200
    written = []
    bunzip = Bunzip(lambda content: written.append(len(content)), 5_000_000)
    with pytest.raises(TooMuch):
        bunzip.feed(bomb)
    assert sum(written) <= 5_000_000


def test_a_disk_that_is_full_is_not_the_files_fault() -> None:
    def write(_content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Bunzip(write, 100).feed(bz2.compress(b"content"))
