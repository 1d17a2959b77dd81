"""What operators can count, in Prometheus' terms."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from liveness.rtc.track import Counters
from liveness.verdict import Verdict


class Metrics:
    """The counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.created = Counter(
            "liveness_sessions_created", "Sessions created", registry=self.registry
        )
        self.running = Gauge(
            "liveness_sessions_running", "Sessions with a peer", registry=self.registry
        )
        self.finished = Counter(
            "liveness_sessions_finished",
            "Sessions finished, by verdict and first reason",
            ["verdict", "reason"],
            registry=self.registry,
        )
        self.frames = Counter(
            "liveness_frames",
            "Video frames, by what became of them",
            ["fate"],
            registry=self.registry,
        )
        self.measuring = Counter(
            "liveness_measuring_seconds", "Time spent on measuring frames", registry=self.registry
        )

    def finish(self, verdict: Verdict, counters: Counters) -> None:
        """Count a session that is over, and its frames."""
        reason = str(verdict.reasons[0]) if verdict.reasons else ""
        self.finished.labels(verdict.verdict, reason).inc()
        self.frames.labels("measured").inc(counters.measured)
        self.frames.labels("dropped").inc(counters.dropped)
        self.measuring.inc(counters.measuring)

    def text(self) -> bytes:
        """Write them in the exposition format."""
        return generate_latest(self.registry)
