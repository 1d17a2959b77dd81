"""What a session costs, how many a core carries, and how fresh the state stays.

    make bench                  everything, about a quarter of an hour
    make bench-quick            the cost of four sessions, under two minutes

The server and, as the floor, an aiortc peer that only receives and decodes get the same video from
the same sender, each in a process of its own. Both sides of a ratio are measured in one run.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import report, sender
from bench.clips import ENCODINGS, VGA, Clip, Encoding, Moves, idle
from bench.receiver import Kind, Reading, Receiver, receiving

WARM_UP = 5.0
"""Seconds until every session has its face and its rhythm."""

ALL_IN = ("--most-load", "0")
"""Lets in whoever comes: how full is too full is what is to be found out."""

FRESH = 0.1
"""Seconds that a state may be behind its frame."""

LEAST_MEASURED, LEAST_FRESH = 0.99, 0.95

MOST = 40
"""Sessions that no core carries."""


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


class Bench:
    """Measures on the first cores, sends from the last one."""

    def __init__(self, seconds: float) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.receiving, self.sending = cores[:-1] or cores, cores[-1:]
        self.seconds = seconds

    def measure(
        self,
        kind: Kind,
        clip: Clip,
        sessions: int,
        *,
        encoding: Encoding = VGA,
        cores: int = 1,
        options: tuple[str, ...] = ALL_IN,
    ) -> Point:
        """Start a receiver, send to it, and read what it cost."""
        workers = () if kind == "bare" else ("--workers", str(cores))
        with receiving(kind, self._cores(cores), *options, *workers) as receiver:
            before, after, outcomes = self._run(receiver, clip, encoding, sessions, kind)
            memory = receiver.memory()
        return point(kind, encoding, cores, outcomes, before, after, memory)

    def _cores(self, count: int) -> list[int]:
        """So many; the sender's as well where there are no others, which is then told."""
        return [*self.receiving, *self.sending][:count]

    def _run(
        self, receiver: Receiver, clip: Clip, encoding: Encoding, sessions: int, kind: Kind
    ) -> tuple[Reading, Reading, list[sender.Outcome]]:
        whole = WARM_UP + self.seconds
        with elsewhere(self.sending) as pool:
            outcomes = pool.submit(_watch, receiver.url, clip, encoding, sessions, whole + 1)
            time.sleep(sessions * sender.STAGGER + WARM_UP)
            if kind == "profiled":
                os.kill(receiver.pid, signal.SIGUSR1)
            before = receiver.read()
            time.sleep(self.seconds)
            after = receiver.read()
            if kind == "profiled":
                os.kill(receiver.pid, signal.SIGUSR1)
            return before, after, outcomes.result()


def _watch(
    url: str, clip: Clip, encoding: Encoding, sessions: int, seconds: float
) -> list[sender.Outcome]:
    return asyncio.run(sender.watch(url, clip, encoding, sessions, seconds))


def _check(url: str, moves: Moves, people: int) -> list[sender.Outcome]:
    return asyncio.run(sender.check(url, moves, VGA, people))


def _come_and_go(url: str, clip: Clip, sessions: int) -> None:
    asyncio.run(sender.come_and_go(url, clip, VGA, sessions, 3.0))


@contextmanager
def elsewhere(cores: list[int]):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a pool
    """Have a process of its own on these cores."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        with ProcessPoolExecutor(1) as pool:
            pool.submit(os.getpid).result()  # started here, on these cores
            os.sched_setaffinity(0, everywhere)
            yield pool
    finally:
        os.sched_setaffinity(0, everywhere)


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


@dataclass
class Results:
    """Everything that one run found."""

    machine: str
    points: list[Point]
    profile: dict[str, float]
    people: dict[str, int]
    grown: float | None = None


def run(bench: Bench, *, quick: bool) -> Results:
    """Measure; tells each point as it is known."""
    results = Results(machine(), [], {}, {})
    clip = idle(VGA, 60 if not quick else 35)

    def tell(point: Point) -> Point:
        results.points.append(point)
        print(report.line(point), flush=True)
        return point

    print(report.HEAD)
    for sessions in (4,) if quick else (1, 4, 8, 12):
        tell(bench.measure("bare", clip, sessions))
        tell(bench.measure("server", clip, sessions))
    results.profile = profiled(bench, clip)
    print(report.profile(results.profile))
    if not quick:
        capacity = search(bench, clip, results.points, tell)
        print(f"one core carries {capacity} sessions", flush=True)
        tell(bench.measure("server", clip, 2 * capacity, options=()))
        if len(bench.receiving) + len(bench.sending) > 1:
            tell(bench.measure("server", clip, round(1.8 * capacity), cores=2))
        for encoding in ENCODINGS[1:]:
            part = idle(encoding, 30)
            tell(bench.measure("bare", part, 4, encoding=encoding))
            tell(bench.measure("server", part, 4, encoding=encoding))
        results.people = people(bench, capacity)
        results.grown = growth(bench, clip)
        print(f"people checked: {results.people}; memory grown by {results.grown:.1f} MB")
    return results


def search(bench: Bench, clip: Clip, known: list[Point], tell: Callable[[Point], Point]) -> int:
    """Find how many sessions one core carries, between what is known to be and not to be."""
    server = [each for each in known if each.kind == "server"]
    carried = max((each.sessions for each in server if each.carried), default=0)
    failed = min((each.sessions for each in server if each.sessions > carried), default=MOST)
    while failed - carried > 1:
        sessions = (carried + failed + 1) // 2 if failed < MOST else carried + 3
        if tell(bench.measure("server", clip, sessions)).carried:
            carried = sessions
        else:
            failed = sessions
    return max(carried, 1)


def profiled(bench: Bench, clip: Clip) -> dict[str, float]:
    """Milliseconds of CPU a frame of four sessions, by stage."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "profile.json"
        os.environ["BENCH_PROFILE"] = str(target)
        point = bench.measure("profiled", clip, 4)
        seconds: dict[str, float] = json.loads(target.read_text())
    frames = 4 * VGA.rate * bench.seconds
    stages = {stage: 1000 * spent / frames for stage, spent in seconds.items()}
    stages["event loop, threads, the rest"] = point.cpu - sum(stages.values())
    return stages


def people(bench: Bench, capacity: int) -> dict[str, int]:
    """Have a full core of people checked, who do what they are asked; count the verdicts."""
    moves = Moves.rendered()
    with (
        receiving("server", bench.receiving[:1], "--workers", "1", *ALL_IN) as receiver,
        elsewhere(bench.sending) as pool,
    ):
        outcomes = pool.submit(_check, receiver.url, moves, capacity).result()
    said = [each.verdict["verdict"] if each.verdict else "none" for each in outcomes]
    return {verdict: said.count(verdict) for verdict in sorted(set(said))}


def growth(bench: Bench, clip: Clip, sessions: int = 120) -> float:
    """MB by which so many sessions of 3 s, four at a time, leave the server larger."""
    with (
        receiving("server", bench.receiving[:1], "--workers", "1", *ALL_IN) as receiver,
        elsewhere(bench.sending) as pool,
    ):
        pool.submit(_come_and_go, receiver.url, clip, sessions // 6).result()
        before = receiver.memory()
        pool.submit(_come_and_go, receiver.url, clip, sessions).result()
        return (receiver.memory() - before) / 2**20


def machine() -> str:
    """Name what this was measured on."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="the cost of four sessions only")
    options.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    options.add_argument("--out", type=Path, default=Path(".cache/bench/report"))
    chosen = options.parse_args()
    results = run(Bench(chosen.seconds), quick=chosen.quick)
    chosen.out.mkdir(parents=True, exist_ok=True)
    written = chosen.out / "bench.json"
    written.write_text(json.dumps(asdict(results), indent=1))
    page = report.write_page(results.points, results.machine, chosen.out / "bench.html")
    print(report.summary(results.points))
    print(f"{written} {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
