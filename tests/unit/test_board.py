from pathlib import Path

from liveness import board
from liveness.board import Board
from liveness.seat import Seat


def test_workers_read_what_the_others_wrote(tmp_path: Path) -> None:
    board.create(tmp_path, 3)
    one, other = (Board(Seat(slot=slot, workers=3, folder=tmp_path)) for slot in (0, 2))
    assert one.loads() == [None, None, None]
    one.tell(0)
    other.tell(70_000)
    assert one.loads() == other.loads() == [0, None, 70_000]
    other.tell(None)
    assert one.loads() == [0, None, None]


def test_whoever_lives_beats(tmp_path: Path) -> None:
    board.create(tmp_path, 2)
    seats = [Seat(slot=slot, workers=2, folder=tmp_path) for slot in range(2)]
    one, other, supervisor = Board(seats[0]), Board(seats[1]), Board(seats[1])
    one.beat()
    for beats in (1, 2):
        other.beat()
        assert supervisor.beats == beats
    assert one.beats == 1
    assert one.loads() == [None, None]


def test_a_single_process_needs_no_folder() -> None:
    alone = Board(Seat())
    alone.tell(4)
    assert alone.loads() == [4]
