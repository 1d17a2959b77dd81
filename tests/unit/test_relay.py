from contextlib import ExitStack
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from liveness import board
from liveness.board import Board
from liveness.relay import Relay
from liveness.seat import Seat

PLACES = 8


def relay(folder: Path, loads: list[int | None], slot: int = 0) -> Relay:
    """The relay of one among workers that have so many sessions."""
    board.create(folder, len(loads))
    boards = [Board(Seat(slot=at, workers=len(loads), folder=folder)) for at in range(len(loads))]
    for each, load in zip(boards, loads, strict=True):
        each.tell(load)
    return Relay(boards[slot], PLACES)


def freest(link: Relay) -> int:
    with link.freest() as slot:
        return slot


def test_the_one_with_most_room_takes_a_session(tmp_path: Path) -> None:
    assert freest(relay(tmp_path, [3, 1])) == 1
    assert freest(relay(tmp_path, [1, 3], slot=1)) == 0


def test_among_equals_nothing_is_sent_on(tmp_path: Path) -> None:
    for slot in range(4):
        assert freest(relay(tmp_path, [2, 2, 2, 2], slot)) == slot


def test_who_is_absent_takes_none(tmp_path: Path) -> None:
    assert freest(relay(tmp_path, [2, None])) == 0
    assert freest(relay(tmp_path, [None, 2])) == 1
    assert freest(relay(tmp_path, [None, None], slot=1)) == 1


def test_room_is_counted_and_not_sessions(tmp_path: Path) -> None:
    link = relay(tmp_path, [2, 2, 2], slot=2)  # 8 places: 3, 3 and 2
    assert freest(link) in {0, 1}


def test_many_that_come_at_once_spread(tmp_path: Path) -> None:
    link = relay(tmp_path, [0, 0, 0, 0], slot=1)
    with ExitStack() as stack:
        slots = [stack.enter_context(link.freest()) for _ in range(8)]
    assert sorted(slots) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert freest(link) == 1, "over, and forgotten"


@given(key=st.text(), workers=st.integers(1, 16))
def test_all_workers_agree_on_who_remembers(key: str, workers: int) -> None:
    links = [Relay(Board(Seat(slot=slot, workers=workers)), PLACES) for slot in range(workers)]
    (keeper,) = {link.keeper(key) for link in links}
    assert 0 <= keeper < workers


def test_names_that_are_made_lead_back_and_are_not_guessed() -> None:
    for slot in range(5):
        link = Relay(Board(Seat(slot=slot, workers=5)), PLACES)
        names = {link.mint("cookie") for _ in range(20)}
        assert len(names) == 20
        assert {link.keeper(f"cookie:{name}") for name in names} == {slot}


def test_bytes_that_are_no_text_have_a_keeper_too() -> None:
    assert Relay(Board(Seat()), PLACES).keeper("cookie:\udcff") == 0
