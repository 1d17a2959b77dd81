"""How many sessions each worker of a node has, and that it lives, in memory that the workers share.

Two numbers for each, which only its worker writes: four bytes at once, so nobody needs a lock.
"""

import mmap
from pathlib import Path

from liveness.seat import Seat

FILE = "board"

BEAT_INTERVAL = 1.0
"""Seconds between two beats."""

_SIZE = 4  # bytes of a number
_ABSENT = 2**32 - 1


class Board:
    """The numbers of all, as the worker at `seat` reads them and writes its own.

    On its own, without a folder, a process has the only ones.
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        numbers = _map(seat.folder, seat.workers)
        self._loads, self._beats = numbers[: seat.workers], numbers[seat.workers :]

    def tell(self, load: int | None) -> None:
        """Write how many sessions this worker has; None while it takes none."""
        self._loads[self.seat.slot] = _ABSENT if load is None else load

    def loads(self) -> list[int | None]:
        """Read it of all of them, in the order of slots."""
        return [None if load == _ABSENT else load for load in self._loads]

    def beat(self) -> None:
        """Tell that this worker's event loop goes round."""
        self._beats[self.seat.slot] = (self.beats + 1) % 2**32

    @property
    def beats(self) -> int:
        """How often the worker at this seat has told so."""
        return self._beats[self.seat.slot]


def create(folder: Path, workers: int) -> None:
    """Make a board on which every worker is still absent."""
    absent = _ABSENT.to_bytes(_SIZE, "little") * workers
    (folder / FILE).write_bytes(absent + bytes(_SIZE * workers))


def _map(folder: Path | None, workers: int) -> "memoryview[int]":
    size = 2 * _SIZE * workers
    if folder is None:
        return memoryview(bytearray(size)).cast("I")
    with (folder / FILE).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), size)).cast("I")
