from hypothesis import given
from hypothesis import strategies as st

from liveness.upkeep import MISSED, Watch


def test_one_that_does_not_beat_any_more_is_dead() -> None:
    watch = Watch()
    assert watch.look({"a": 1, "b": 7}) == set()
    for look in range(1, MISSED):
        assert watch.look({"a": 1 + look, "b": 7}) == set()
    assert watch.look({"a": 99, "b": 7}) == {"b"}
    assert watch.look({"a": 99, "b": 8}) == set()  # it was only slow
    assert watch.look({"a": 100}) == set()
    assert watch.look({"a": 100, "b": 8}) == set()  # retired, and back


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_dead_exactly_after_so_many_looks_without_a_beat(beats: list[bool]) -> None:
    watch, count, missed = Watch(), 0, 0
    watch.look({"a": count})
    for beat in beats:
        count += beat
        missed = 0 if beat else missed + 1
        assert watch.look({"a": count}) == ({"a"} if missed >= MISSED else set())
