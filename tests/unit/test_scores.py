import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.scores import WINDOW, Scores, log_average

SHARES = st.floats(0, 1)


def test_it_is_the_logarithmic_average() -> None:
    scores = [0.9, 0.8, 0.95, 0.1, 0.99]
    expected = math.exp(sum(math.log(score + 1) for score in scores) / 5) - 1
    assert log_average(scores) == pytest.approx(expected)
    assert log_average([0.0, 1.0]) == pytest.approx(math.sqrt(2) - 1)


@given(st.lists(SHARES, min_size=1, max_size=20))
def test_it_lies_among_the_scores_and_not_above_their_mean(scores: list[float]) -> None:
    average = log_average(scores)
    assert min(scores) - 1e-11 <= average <= max(scores) + 1e-11
    assert average <= math.fsum(scores) / len(scores) + 1e-11


def test_nothing_has_no_average() -> None:
    with pytest.raises(ValueError, match="nothing"):
        log_average([])
    assert Scores().average is None


@given(st.lists(SHARES, min_size=1, max_size=20))
def test_the_last_five_count(given_scores: list[float]) -> None:
    scores = Scores()
    for score in given_scores:
        scores.add(score)
    assert scores.average == log_average(given_scores[-WINDOW:])
    assert scores.decisive == (len(given_scores) >= WINDOW)


@given(st.lists(SHARES, max_size=12), SHARES)
def test_an_attack_takes_five_scores_and_an_average_not_above_the_threshold(
    given_scores: list[float], threshold: float
) -> None:
    scores = Scores()
    for score in given_scores:
        scores.add(score)
    low = scores.average is not None and scores.average <= threshold
    assert scores.attacked(threshold) == (len(given_scores) >= WINDOW and low)


@pytest.mark.parametrize("score", [-0.01, 1.01, math.nan, math.inf])
def test_what_is_no_score_is_not_taken(score: float) -> None:
    with pytest.raises(ValueError, match="no score"):
        Scores().add(score)
