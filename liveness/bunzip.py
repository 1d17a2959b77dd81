"""Unpacks bzip2 as it comes, and no more of it than was agreed."""

import bz2
from collections.abc import Callable

_STEP = 2**20
"""Bytes unpacked at once: a small file may unpack to anything."""

_BEGINNING = b"BZh"


class NotBzip2(ValueError):  # noqa: N818 - what it says
    """What came is no bzip2 file."""


class TooMuch(ValueError):  # noqa: N818 - what it says
    """The file is larger than was agreed."""


class Bunzip:
    """Feed it a file in pieces of any size; `write` gets what is in it.

    `most`: bytes that it may have unpacked. Files of several streams (`pbzip2`) are taken.
    """

    def __init__(self, write: Callable[[bytes], object], most: int) -> None:
        self._write = write
        self._most = most
        self._size = 0
        self._beginning = b""
        self._stream = bz2.BZ2Decompressor()

    @property
    def complete(self) -> bool:
        """Whether the file may end here."""
        return self._stream.eof and not self._beginning

    def feed(self, packed: bytes) -> None:
        """Take in the next piece; raises `NotBzip2`, `TooMuch`."""
        while packed:
            if self._stream.eof:
                packed = self._next(packed)
                if not packed:
                    return
            self._unpack(packed)
            packed = self._stream.unused_data if self._stream.eof else b""

    def _unpack(self, packed: bytes) -> None:
        try:
            while True:
                content = self._stream.decompress(packed, _STEP)
                self._size += len(content)
                if self._size > self._most:
                    raise TooMuch(f"it unpacks to over {self._most} bytes")
                self._write(content)
                if self._stream.eof or self._stream.needs_input:
                    return
                packed = b""
        except OSError as error:
            if error.errno is not None:  # the disk's, not the decompressor's
                raise
            raise NotBzip2("it is no bzip2 file, or a damaged one") from error

    def _next(self, packed: bytes) -> bytes:
        """Begin another stream, once there is enough to tell whether it is one."""
        packed = self._beginning + packed
        if packed[: len(_BEGINNING)] != _BEGINNING[: len(packed)]:
            raise NotBzip2("it goes on after its end")
        if len(packed) < len(_BEGINNING):
            self._beginning = packed
            return b""
        self._beginning = b""
        self._stream = bz2.BZ2Decompressor()
        return packed
