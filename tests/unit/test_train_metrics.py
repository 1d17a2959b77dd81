import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.train.card import LIVE, SPOOF
from liveness.train.metrics import (
    area_under_curve,
    equal_error_threshold,
    error_rates,
    every_threshold,
    judge,
)

SAMPLES = st.lists(
    st.tuples(st.sampled_from([LIVE, SPOOF]), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])),
    min_size=2,
    max_size=40,
).filter(lambda samples: {label for label, _ in samples} == {LIVE, SPOOF})


def test_errors_are_counted_as_iso_30107_3_defines_them() -> None:
    labels = np.array([LIVE] * 4 + [SPOOF] * 6)
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.1, 0.7, 0.9])
    species = [""] * 4 + ["print"] * 4 + ["replay"] * 2
    figures = judge(scores, labels, species, 0.5)
    assert figures.species == {"print": 0.25, "replay": 1.0}
    assert figures.apcer == 1.0  # of the worst species, not 3 of 6
    assert figures.bpcer == 0.25
    assert figures.acer == 0.625
    assert figures.accuracy == 0.6
    assert figures.confusion == [[3, 1], [3, 3]]


def test_a_score_at_the_threshold_is_an_attack_as_in_a_session() -> None:
    figures = judge(np.array([0.5, 0.5]), np.array([LIVE, SPOOF]), ["", "print"], 0.5)
    assert (figures.bpcer, figures.apcer) == (1.0, 0.0)


def test_scores_that_part_get_a_threshold_in_the_middle_of_the_gap() -> None:
    scores, labels = np.array([0.8, 0.9, 0.2, 0.1]), np.array([LIVE, LIVE, SPOOF, SPOOF])
    assert equal_error_threshold(scores, labels) == pytest.approx(0.5)
    assert area_under_curve(scores, labels) == 1.0
    assert area_under_curve(1 - scores, labels) == 0.0


def test_scores_that_say_nothing_reject_everybody_rather_than_accept() -> None:
    scores, labels = np.array([0.5, 0.5]), np.array([LIVE, SPOOF])
    assert judge(scores, labels, ["", "print"], equal_error_threshold(scores, labels)).apcer == 0
    assert area_under_curve(scores, labels) == 0.5


@given(SAMPLES)
def test_the_threshold_balances_the_errors_as_well_as_any(samples: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(values) for values in zip(*samples, strict=True))
    threshold = equal_error_threshold(scores, labels)
    assert 0 <= threshold <= 1

    def imbalance(at: float) -> float:
        accepted, rejected = error_rates(scores, labels, np.array([at]))
        return float(abs(accepted - rejected)[0])

    assert imbalance(threshold) == min(imbalance(at) for at in every_threshold(scores))


@given(SAMPLES)
def test_area_under_the_curve_is_the_share_of_pairs_in_order(
    samples: list[tuple[int, float]],
) -> None:
    labels, scores = (np.array(values) for values in zip(*samples, strict=True))
    live, attacks = scores[labels == LIVE][:, None], scores[labels == SPOOF][None]
    pairs = (live > attacks) + 0.5 * (live == attacks)
    assert area_under_curve(scores, labels) == pytest.approx(pairs.mean())
