"""What operators can count, in Prometheus' terms."""

import os
from collections import deque
from functools import cache
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

_TIMES = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
"""Seconds: the pose takes a hundredth of a millisecond, comparing faces a tenth of a second."""

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
        self._count_processes()
        self._count_sessions()
        self._count_frames()
        self._count_findings()

    def _count_processes(self) -> None:
        self.workers = self._gauge("liveness_workers", "Processes that serve")
        self.draining = self._gauge(
            "liveness_draining",
            "Processes that take no further sessions, and wait for those that run",
        )
        self.cpu = self._counter("liveness_cpu_seconds", "Processor time used")
        self.resident = self._gauge("liveness_resident_bytes", "Memory in use")
        self.files = self._gauge("liveness_open_files", "Open files and sockets")
        self.loop_lag = self._histogram(
            "liveness_loop_lag_seconds", "By how much a timer of the event loop was late", _AGES
        )

    def _count_sessions(self) -> None:
        self.created = self._counter("liveness_sessions_created", "Sessions created")
        self.running = self._gauge("liveness_sessions_running", "Sessions with a peer")
        self.reached = self._counter(
            "liveness_sessions_reached",
            "Sessions by how far they have come; each is counted at every status",
            "status",
        )
        self.finished = self._counter(
            "liveness_sessions_finished",
            "Sessions finished, by verdict and first reason",
            *("verdict", "reason"),
        )
        self.refused = self._counter(
            "liveness_sessions_refused", "Peers that were told to come again, by why", "reason"
        )
        self.webhooks = self._counter(
            "liveness_webhook_tries",
            "Tries to deliver a verdict to a webhook, by what came of them",
            "outcome",
        )

    def _count_frames(self) -> None:
        self.frames = self._counter(
            "liveness_frames", "Video frames, by what became of them", "fate"
        )
        self.measuring = self._counter(
            "liveness_measuring_seconds", "Time spent on measuring frames"
        )
        stages = self._histogram(
            "liveness_stage_seconds", "Time that a stage of a frame's way took", _TIMES, "stage"
        )
        self._stage = cache(stages.labels)  # which takes as long as to count
        self._noted: deque[tuple[str, float]] = deque()
        self.state_age = self._histogram(
            "liveness_state_age_seconds",
            "From the arrival of a frame to the state message about it",
            _AGES,
        )

    def _count_findings(self) -> None:
        self.scores = self._histogram(
            "liveness_spoof_score",
            "Anti-spoof scores, 1 is live, by what was scored",
            _SCORES,
            "source",
        )
        self.distances = self._histogram(
            "liveness_face_distance",
            "How far apart the faces are that were compared within sessions",
            _DISTANCES,
        )
        self.calls = self._counter(
            "liveness_rest_calls",
            "Calls for single pictures and for weights, by what came of them",
            *("call", "outcome"),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        """Make a gauge that is summed over the workers that live."""
        return Gauge(name, text, registry=self.registry, multiprocess_mode="livesum")

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a stage took, in any thread: beside a frame, counting would cost 1 %."""
        self._noted.append((stage, seconds))

    def settle(self) -> None:
        """Count what was noted, now and then."""
        while self._noted:
            stage, seconds = self._noted.popleft()
            self._stage(stage).observe(seconds)

    def finish(self, verdict: Verdict) -> None:
        """Count a session that is over."""
        reason = str(verdict.reasons[0]) if verdict.reasons else ""
        self.finished.labels(verdict.verdict, reason).inc()

    def text(self) -> bytes:
        """Write those of all workers in the exposition format."""
        self.settle()
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
        self.took = metrics.stage
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
