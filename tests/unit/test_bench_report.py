import pytest

from bench.report import AGE, quantile, share_below


def histogram(**counts: int) -> dict[str, float]:
    """Cumulated counts by bound in milliseconds: `ms10=3`."""
    bounds = {name: float(name.removeprefix("ms")) / 1000 for name in counts}
    return {f"{AGE}{bounds[name]}}}": float(count) for name, count in counts.items()}


def test_shares_and_quantiles_are_read_off_a_histogram() -> None:
    grown = histogram(ms5=0, ms10=80, ms25=90, ms100=98) | {f"{AGE}+Inf}}": 100.0}
    assert share_below(grown, 0.1) == pytest.approx(0.98)
    assert quantile(grown, 0.5) == pytest.approx(0.005 + 0.005 * 50 / 80)
    assert quantile(grown, 0.9) == pytest.approx(0.025)
    assert quantile(grown, 0.999) == pytest.approx(0.1), "beyond the last bound: at least that"


def test_nothing_was_counted() -> None:
    assert share_below({}, 0.1) == 0
    assert quantile({f"{AGE}+Inf}}": 0.0}, 0.5) == 0
