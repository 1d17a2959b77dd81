from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge.names import Challenge
from liveness.challenge.plan import MOST_CHALLENGES, Order, Plan

FRONT, RIGHT, LEFT, BLINK = Challenge


@given(steps=st.integers(4, 8), seed=st.integers())
def test_a_drawn_plan_asks_every_move_and_none_twice_in_a_row(steps: int, seed: int) -> None:
    drawn = Plan(steps=steps, generator=Random(seed)).draw()
    assert len(drawn) == steps
    assert drawn[0] is FRONT
    assert FRONT not in drawn[1:]
    assert set(drawn) == set(Challenge)
    assert all(one is not other for one, other in pairwise(drawn))


def test_every_order_is_drawn() -> None:
    plan = Plan(generator=Random(7))
    assert len({plan.draw() for _ in range(200)}) == 6


def test_the_fixed_order_is_the_seeds() -> None:
    assert Plan(order=Order.FIXED).draw() == (FRONT, RIGHT, LEFT, BLINK)
    assert Plan(order=Order.FIXED, steps=6).draw() == (FRONT, RIGHT, LEFT, BLINK, RIGHT, LEFT)


def test_an_explicit_list_is_run_as_given_each_time() -> None:
    plan = Plan([FRONT, BLINK, BLINK, LEFT])
    assert plan.draw() == plan.draw() == (FRONT, BLINK, BLINK, LEFT)


def test_front_is_put_first_where_it_is_missing() -> None:
    assert Plan([LEFT, FRONT]).draw() == (FRONT, LEFT, FRONT)


@pytest.mark.parametrize("count", [0, MOST_CHALLENGES + 1])
def test_a_list_that_cannot_be_run_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="challenges"):
        Plan([BLINK] * count)


@pytest.mark.parametrize("steps", [3, 9])
def test_a_number_of_steps_that_cannot_be_drawn_is_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="steps"):
        Plan(steps=steps)
