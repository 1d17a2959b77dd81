"""What a session costs, how many a core carries, and how soon what people do is known.

    make bench                          everything, about a quarter of an hour
    make bench ARGS="--only people"     some parts of it, see --help
    make bench-quick                    four sessions, and how soon a move is known; two minutes

The server and, as the floor, an aiortc peer that only receives and decodes get the same video from
the same sender, each in a process of its own. Both sides of a ratio are measured in one run.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from bench import reactions, report, sender
from bench.clips import ENCODINGS, VGA, Clip, Encoding, Moves, idle
from bench.points import Point, point
from bench.reactions import Watched
from bench.receiver import Kind, Reading, Receiver, receiving

WARM_UP = 5.0
"""Seconds until every session has its face and its rhythm."""

ENROLMENT = 0.8
"""Seconds more for each session, until its first faces are described: .2 s of work beside the
others', which a full core does last."""

ALL_IN = ("--most-load", "0")
"""Lets in whoever comes: how full is too full is what is to be found out."""

MOST = 40
"""Sessions that no core carries."""

PEOPLE = 8
"""Checked at the same time: a full core, by what the server lets in by itself."""

WATCHED = 2
"""People whose moves are timed at the same time: they are drawn as they react, on one core."""

PARTS = {
    "cost": "CPU of a frame beside the bare receiver's, of 1, 4, 8 and 12 sessions",
    "stages": "where a frame's time goes",
    "reactions": "frames from a rendered turn or blink to the state that tells of it",
    "capacity": "how many sessions one core carries; twice as many; 1.8 times on two cores",
    "videos": "the cost of other sizes, codecs and frame rates",
    "people": f"how many of {PEOPLE} people pass who do what they are asked at the same time",
    "memory": "what 120 short sessions leave behind",
}
QUICK = ("cost", "stages", "reactions")
"""With four sessions only."""


class Bench:
    """Measures on the first cores, sends from the last one. `footage`: seconds of video to send."""

    def __init__(self, seconds: float, footage: float) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.receiving, self.sending = cores[:-1] or cores, cores[-1:]
        self.seconds = seconds
        self._footage = footage

    @cached_property
    def clip(self) -> Clip:
        return idle(VGA, self._footage)

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

    @contextmanager
    def alone(self) -> Iterator[tuple[Receiver, ProcessPoolExecutor]]:
        """Start a server on one core, and a process to send from, for other than `measure`."""
        with (
            receiving("server", self.receiving[:1], "--workers", "1", *ALL_IN) as receiver,
            elsewhere(self.sending) as pool,
        ):
            yield receiver, pool

    def _cores(self, count: int) -> list[int]:
        """So many; the sender's as well where there are no others, which is then told."""
        return [*self.receiving, *self.sending][:count]

    def _run(
        self, receiver: Receiver, clip: Clip, encoding: Encoding, sessions: int, kind: Kind
    ) -> tuple[Reading, Reading, list[sender.Outcome]]:
        warm_up = WARM_UP + ENROLMENT * sessions
        whole = warm_up + self.seconds
        with elsewhere(self.sending) as pool:
            outcomes = pool.submit(_watch, receiver.url, clip, encoding, sessions, whole + 1)
            time.sleep(sessions * sender.STAGGER + warm_up)
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


def _react(url: str, people: int) -> Watched:
    return asyncio.run(reactions.watch(url, people))


def _check(url: str, moves: Moves, people: int) -> list[sender.Outcome]:
    return asyncio.run(sender.check(url, moves, VGA, people))


def _come_and_go(url: str, clip: Clip, sessions: int) -> None:
    asyncio.run(sender.come_and_go(url, clip, VGA, sessions, 3.0))


@contextmanager
def elsewhere(cores: list[int]) -> Iterator[ProcessPoolExecutor]:
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


@dataclass
class Results:
    """Everything that one run found."""

    machine: str
    points: list[Point] = field(default_factory=list)
    profile: dict[str, float] = field(default_factory=dict)
    reactions: Watched | None = None
    people: dict[str, int] = field(default_factory=dict)
    grown: float | None = None

    def tell(self, point: Point) -> Point:
        if not self.points:
            print(report.HEAD)
        self.points.append(point)
        print(report.line(point), flush=True)
        return point


def run(bench: Bench, parts: Collection[str], *, quick: bool) -> Results:
    """Measure these parts; tells each point as it is known."""
    results = Results(report.machine())
    if "cost" in parts:
        for sessions in (4,) if quick else (1, 4, 8, 12):
            beside_bare(bench, results, bench.clip, sessions)
    if "stages" in parts:
        results.profile = profiled(bench)
        print(report.profile(results.profile))
    if "reactions" in parts:
        results.reactions = reacting(bench)
        print(reactions.tell(results.reactions), flush=True)
    if "capacity" in parts:
        fill(bench, results)
    if "videos" in parts:
        for encoding in ENCODINGS[1:]:
            beside_bare(bench, results, idle(encoding, 30), 4, encoding)
    if "people" in parts:
        results.people = people(bench)
        print(f"{PEOPLE} people checked: {results.people}", flush=True)
    if "memory" in parts:
        results.grown = growth(bench)
        print(f"memory grown by {results.grown:.1f} MB", flush=True)
    return results


def beside_bare(
    bench: Bench, results: Results, clip: Clip, sessions: int, encoding: Encoding = VGA
) -> None:
    """Measure the floor and the server, one after the other."""
    results.tell(bench.measure("bare", clip, sessions, encoding=encoding))
    results.tell(bench.measure("server", clip, sessions, encoding=encoding))


def fill(bench: Bench, results: Results) -> None:
    """Find what one core carries, what becomes of twice as many, and what two cores make of it."""
    capacity = search(bench, results.points, results.tell)
    print(f"one core carries {capacity} sessions", flush=True)
    results.tell(bench.measure("server", bench.clip, 2 * capacity, options=()))
    if len(bench.receiving) + len(bench.sending) > 1:
        results.tell(bench.measure("server", bench.clip, round(1.8 * capacity), cores=2))


def search(bench: Bench, known: list[Point], tell: Callable[[Point], Point]) -> int:
    """Find how many sessions one core carries, between what is known to be and not to be."""
    server = [each for each in known if each.kind == "server"]
    carried = max((each.sessions for each in server if each.carried), default=0)
    failed = min((each.sessions for each in server if each.sessions > carried), default=MOST)
    while failed - carried > 1:
        sessions = (carried + failed + 1) // 2 if failed < MOST else carried + 3
        if tell(bench.measure("server", bench.clip, sessions)).carried:
            carried = sessions
        else:
            failed = sessions
    return max(carried, 1)


def profiled(bench: Bench) -> dict[str, float]:
    """Milliseconds of CPU a frame of four sessions, by stage."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "profile.json"
        os.environ["BENCH_PROFILE"] = str(target)
        point = bench.measure("profiled", bench.clip, 4)
        seconds: dict[str, float] = json.loads(target.read_text())
    frames = 4 * VGA.rate * bench.seconds
    stages = {stage: 1000 * spent / frames for stage, spent in seconds.items()}
    stages["event loop, threads, the rest"] = point.cpu - sum(stages.values())
    return stages


def reacting(bench: Bench) -> Watched:
    """Time the moves of people by frames, from what was rendered to what the server told."""
    with bench.alone() as (receiver, pool):
        return pool.submit(_react, receiver.url, WATCHED).result()


def people(bench: Bench) -> dict[str, int]:
    """Have a full core of people checked, who do what they are asked; count the verdicts."""
    moves = Moves.rendered()
    with bench.alone() as (receiver, pool):
        outcomes = pool.submit(_check, receiver.url, moves, PEOPLE).result()
    said = [each.verdict["verdict"] if each.verdict else "none" for each in outcomes]
    return {verdict: said.count(verdict) for verdict in sorted(set(said))}


def growth(bench: Bench, sessions: int = 120) -> float:
    """MB by which so many sessions of 3 s, four at a time, leave the server larger."""
    with bench.alone() as (receiver, pool):
        pool.submit(_come_and_go, receiver.url, bench.clip, sessions).result()
        before = receiver.memory()
        pool.submit(_come_and_go, receiver.url, bench.clip, sessions).result()
        return (receiver.memory() - before) / 2**20


def main() -> int:
    options = argparse.ArgumentParser(
        prog="python -m bench",
        description=(__doc__ or "").partition("\n")[0],
        epilog="\n".join(["parts:", *(f"  {name:11}{what}" for name, what in PARTS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help="these parts")
    options.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}: 4 sessions")
    options.add_argument("--seconds", type=float, help="of each measurement: 15, --quick: 10")
    options.add_argument("--out", type=Path, default=Path(".cache/bench/report"))
    chosen = options.parse_args()
    parts = chosen.only or (QUICK if chosen.quick else PARTS)
    seconds = chosen.seconds or (10.0 if chosen.quick else 15.0)
    coming = 15.0 if chosen.quick else 45.0  # seconds, one after the other, and to warm up
    results = run(Bench(seconds, seconds + coming), parts, quick=chosen.quick)
    chosen.out.mkdir(parents=True, exist_ok=True)
    written = chosen.out / "bench.json"
    written.write_text(json.dumps(asdict(results), indent=1))
    print(written)
    if results.points:
        print(report.write_page(results.points, results.machine, chosen.out / "bench.html"))
        print(report.summary(results.points))
    return 0


if __name__ == "__main__":
    sys.exit(main())
