from hypothesis import given
from hypothesis import strategies as st

from liveness.seat import Owner, Seat


def test_a_name_tells_where_its_process_is() -> None:
    seat = Seat(slot=3, workers=4, url="http://10.0.0.7:5555")
    assert Owner.parse(seat.owner) == Owner(seat.node, 3, "http://10.0.0.7:5555")
    alone = Seat()
    assert Owner.parse(alone.owner) == Owner(alone.node, 0, None)


def test_each_start_has_a_name_of_its_own() -> None:
    node = Seat().node
    names = {Seat(node, slot=1, workers=2).owner for _ in range(10)}
    assert len(names) == 10


@given(st.text(max_size=40))
def test_other_names_tell_nothing(name: str) -> None:
    assert Owner.parse(name) is None


@given(total=st.integers(1, 500), workers=st.integers(1, 64))
def test_shares_are_even_and_add_up(total: int, workers: int) -> None:
    shares = [Seat(slot=slot, workers=workers).share(total) for slot in range(workers)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert shares == [Seat(workers=workers).share(total, slot) for slot in range(workers)]
