"""How many sessions each worker of a node has, in memory that the workers share.

One number for each, which only its worker writes: four bytes at once, so nobody needs a lock.
"""

import mmap
from pathlib import Path

from liveness.seat import Seat

FILE = "loads"

_SIZE = 4  # bytes of a number
_ABSENT = 2**32 - 1


class Board:
    """The numbers, as the worker at `seat` reads them and writes its own.

    On its own, without a folder, a process has the only one.
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._loads = _map(seat.folder, seat.workers)

    def tell(self, load: int | None) -> None:
        """Write this worker's number; None while it takes no sessions."""
        self._loads[self.seat.slot] = _ABSENT if load is None else load

    def loads(self) -> list[int | None]:
        """Read all of them, in the order of slots."""
        return [None if load == _ABSENT else load for load in self._loads]


def create(folder: Path, workers: int) -> None:
    """Make a board on which every worker is still absent."""
    (folder / FILE).write_bytes(_ABSENT.to_bytes(_SIZE, "little") * workers)


def clear(folder: Path, slot: int, workers: int) -> None:
    """Write that a worker is absent, in its place."""
    _map(folder, workers)[slot] = _ABSENT


def _map(folder: Path | None, workers: int) -> "memoryview[int]":
    if folder is None:
        return memoryview(bytearray(_SIZE * workers)).cast("I")
    with (folder / FILE).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), _SIZE * workers)).cast("I")
