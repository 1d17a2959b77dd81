"""What operators can count, in Prometheus' terms."""

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from liveness.rtc.track import Counters
from liveness.verdict import Verdict

_SCORES = tuple(step / 10 for step in range(1, 11))
_DISTANCES = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0)
"""Finer about the distance from which on a face is another one, `identity.MOST_DISTANCE`."""


_AGES = (0.002, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.035, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
"""Seconds; finest about what a machine that is not full should keep to, 10 and 25 ms."""


_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the library itself knows that others count as well, and where."""


def share(folder: Path, slot: int) -> None:
    """Count together with other workers whatever `Metrics` made later count.

    The worker that follows at the same slot goes on with the counters that it finds.
    """
    os.environ[_FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.workers = Gauge(
            "liveness_workers",
            "Processes that serve",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.created = Counter(
            "liveness_sessions_created", "Sessions created", registry=self.registry
        )
        self.running = Gauge(
            "liveness_sessions_running",
            "Sessions with a peer",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.finished = Counter(
            "liveness_sessions_finished",
            "Sessions finished, by verdict and first reason",
            ["verdict", "reason"],
            registry=self.registry,
        )
        self.reached = Counter(
            "liveness_sessions_reached",
            "Sessions by how far they have come; each is counted at every status",
            ["status"],
            registry=self.registry,
        )
        self.draining = Gauge(
            "liveness_draining",
            "Processes that take no further sessions, and wait for those that run",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.cpu = Counter("liveness_cpu_seconds", "Processor time used", registry=self.registry)
        self.resident = Gauge(
            "liveness_resident_bytes",
            "Memory in use",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.files = Gauge(
            "liveness_open_files",
            "Open files and sockets",
            registry=self.registry,
            multiprocess_mode="livesum",
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
        self.state_age = Histogram(
            "liveness_state_age_seconds",
            "From the arrival of a frame to the state message about it",
            buckets=_AGES,
            registry=self.registry,
        )
        self.loop_lag = Histogram(
            "liveness_loop_lag_seconds",
            "By how much a timer of the event loop was late",
            buckets=_AGES,
            registry=self.registry,
        )
        self.refused = Counter(
            "liveness_sessions_refused",
            "Peers that were told to come again, by why",
            ["reason"],
            registry=self.registry,
        )
        self.scores = Histogram(
            "liveness_spoof_score",
            "Anti-spoof scores, 1 is live, by what was scored",
            ["source"],
            buckets=_SCORES,
            registry=self.registry,
        )
        self.distances = Histogram(
            "liveness_face_distance",
            "How far apart the faces are that were compared within sessions",
            buckets=_DISTANCES,
            registry=self.registry,
        )
        self.calls = Counter(
            "liveness_rest_calls",
            "Calls for single pictures and for weights, by what came of them",
            ["call", "outcome"],
            registry=self.registry,
        )

        self.webhooks = Counter(
            "liveness_webhook_tries",
            "Tries to deliver a verdict to a webhook, by what came of them",
            ["outcome"],
            registry=self.registry,
        )

    def finish(self, verdict: Verdict) -> None:
        """Count a session that is over."""
        reason = str(verdict.reasons[0]) if verdict.reasons else ""
        self.finished.labels(verdict.verdict, reason).inc()

    def text(self) -> bytes:
        """Write those of all workers in the exposition format."""
        registry = self.registry
        if _FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class Meter:
    """Counts the frames of all sessions as they come, from the counters of each."""

    def __init__(self, metrics: Metrics) -> None:
        self.received = 0
        self.late = 0
        self._measured = metrics.frames.labels("measured")
        self._dropped = metrics.frames.labels("dropped")
        self._seconds = metrics.measuring
        self.told = metrics.state_age.observe
        """Takes the age of a state that was sent, seconds."""

    def count(self, counters: Counters, counted: Counters) -> None:
        """Count by how much a session has gone on since `counted`, which follows."""
        self.received += counters.received - counted.received
        self.late += counters.dropped - counted.dropped
        self._measured.inc(counters.measured - counted.measured)
        self._dropped.inc(counters.dropped - counted.dropped)
        self._seconds.inc(counters.measuring - counted.measuring)
        for name in ("received", "measured", "dropped", "measuring"):
            setattr(counted, name, getattr(counters, name))
