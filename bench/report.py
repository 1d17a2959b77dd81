"""What was measured, as lines, figures and curves."""

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from bench.points import Point

AGE = "liveness_state_age_seconds_bucket{le="

HEAD = (
    f"{'what':26}{'cores':>6}{'sessions':>9}{'refused':>8}{'ms/frame':>9}{'busy':>6}"
    f"{'measured':>9}{'<100 ms':>8}{'delay ms':>9}{'95 %':>6}{'sent-heard ms':>14}{'MB':>6}"
)


def machine() -> str:
    """Name what this was measured on."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def line(point: "Point") -> str:
    """Tell one point."""
    name = f"{point.kind} {point.encoding}"
    told = (
        f"{name:26}{point.cores:6}{point.sessions:9}{point.refused:8}{point.cpu:9.2f}"
        f"{point.busy:6.0%}"
    )
    if point.kind == "bare":
        return told
    return (
        f"{told}{point.measured:9.1%}{point.fresh:8.1%}{point.delay_median:9.1f}"
        f"{point.delay_95:6.1f}{point.round_trip_median:14.1f}{point.memory:6.0f}"
    )


def profile(stages: Mapping[str, float]) -> str:
    """Tell milliseconds by stage, the longest first."""
    lines = sorted(stages.items(), key=lambda stage: -stage[1])
    return "\n".join(f"    {name:32}{spent:8.3f} ms a frame" for name, spent in lines)


def summary(points: Sequence["Point"]) -> str:
    """Tell the ratios, and how many sessions a core carries."""
    told = []
    for full, bare in pairs(points):
        told.append(
            f"{full.encoding}, {full.sessions} sessions: {full.cpu / bare.cpu:.2f} times the bare "
            "receiver"
        )
    carried = [each.sessions for each in points if each.carried and each.cores == 1]
    return "\n".join([*told, f"carried by one core: {max(carried, default=0)} or more"])


def pairs(points: Iterable["Point"]) -> list[tuple["Point", "Point"]]:
    """Put each measurement of the server beside the floor that was measured with it."""
    found: list[tuple[Point, Point]] = []
    bare: Point | None = None
    for point in points:
        if point.kind == "bare":
            bare = point
        elif bare and (bare.encoding, bare.sessions) == (point.encoding, point.sessions):
            found.append((point, bare))
            bare = None
    return found


def share_below(grown: Mapping[str, float], seconds: float) -> float:
    """Read off a histogram which share lies below a bound of it."""
    buckets = _buckets(grown)
    whole = buckets.get(math.inf, 0.0)
    return buckets.get(seconds, 0.0) / whole if whole else 0.0


def quantile(grown: Mapping[str, float], share: float) -> float:
    """Read a quantile off a histogram, as Prometheus does: evenly spread within a bucket."""
    buckets = sorted(_buckets(grown).items())
    if not buckets or not buckets[-1][1]:
        return 0.0
    wanted, low, below = share * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            inside = (wanted - below) / max(count - below, 1e-9)
            return low if math.isinf(bound) else low + inside * (bound - low)
        low, below = bound, count
    return low


def _buckets(grown: Mapping[str, float]) -> dict[float, float]:
    return {
        float(name.removeprefix(AGE).rstrip("}")): count
        for name, count in grown.items()
        if name.startswith(AGE)
    }


def write_page(points: Sequence["Point"], machine: str, path: Path) -> Path:
    """Draw cost, delay and the share of measured frames over the number of sessions."""
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        subplot_titles=("CPU, ms a frame", "state behind its frame, ms", "share of frames, states"),
    )
    own = [point for point in points if point.encoding == points[0].encoding and point.cores == 1]
    server = sorted((each for each in own if each.kind == "server"), key=lambda each: each.sessions)
    bare = sorted((each for each in own if each.kind == "bare"), key=lambda each: each.sessions)
    curves = (
        (1, "the server", server, "cpu"),
        (1, "receive and decode", bare, "cpu"),
        (2, "median", server, "delay_median"),
        (2, "95 %", server, "delay_95"),
        (3, "measured", server, "measured"),
        (3, "within 100 ms", server, "fresh"),
    )
    for row, name, values, field in curves:
        figure.add_trace(
            go.Scatter(
                x=[each.sessions for each in values],
                y=[getattr(each, field) for each in values],
                name=name,
                mode="lines+markers",
            ),
            row=row,
            col=1,
        )
    figure.update_layout(title=f"Sessions of 640x480 at 30 fps on one core: {machine}", height=900)
    figure.update_xaxes(title_text="sessions", row=3, col=1)
    figure.write_html(path, include_plotlyjs=True)
    return path
