"""One measurement, drawn from what a receiver has counted and what the sender saw."""

from dataclasses import dataclass

from bench import report, sender
from bench.clips import Encoding
from bench.receiver import Kind, Reading

FRESH = 0.1
"""Seconds that a state may be behind its frame."""

LEAST_MEASURED, LEAST_FRESH = 0.99, 0.95


@dataclass(frozen=True)
class Point:
    """One measurement; CPU in milliseconds a frame, delays in milliseconds."""

    kind: Kind
    encoding: str
    cores: int
    sessions: int
    refused: int
    cpu: float
    busy: float
    measured: float = 0.0
    fresh: float = 0.0
    delay_median: float = 0.0
    delay_95: float = 0.0
    round_trip_median: float = 0.0
    memory: float = 0.0

    @property
    def carried(self) -> bool:
        """Whether that many sessions are well served."""
        return self.measured >= LEAST_MEASURED and self.fresh >= LEAST_FRESH


def point(
    kind: Kind,
    encoding: Encoding,
    cores: int,
    outcomes: list[sender.Outcome],
    before: Reading,
    after: Reading,
    memory: int,
) -> Point:
    """Draw a point from two readings."""
    inside = sum(outcome.status == 201 for outcome in outcomes)  # noqa: PLR2004 - Created
    seconds = after.time - before.time
    cpu = after.cpu - before.cpu - (after.describing - before.describing)
    grown = {name: value - before.metrics.get(name, 0.0) for name, value in after.metrics.items()}
    frames = inside * encoding.rate * seconds
    lags = sorted(lag for outcome in outcomes for lag in outcome.lags[len(outcome.lags) // 3 :])
    return Point(
        kind=kind,
        encoding=encoding.name,
        cores=cores,
        sessions=inside,
        refused=len(outcomes) - inside,
        cpu=1000 * cpu / max(frames, 1),
        busy=cpu / seconds,
        measured=min(1.0, grown.get("liveness_frames_total{fate=measured}", 0.0) / max(frames, 1)),
        fresh=report.share_below(grown, FRESH),
        delay_median=1000 * report.quantile(grown, 0.5),
        delay_95=1000 * report.quantile(grown, 0.95),
        round_trip_median=1000 * lags[len(lags) // 2] if lags else 0.0,
        memory=memory / 2**20,
    )
