"""What is measured: the server, or the bare receiver, in a process of its own on chosen cores."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from prometheus_client.parser import text_string_to_metric_families

LOOPBACK = "127.0.0.1"
START_LIMIT = 90.0
Kind = Literal["bare", "server", "profiled"]

_PROGRAMS: dict[Kind, list[str]] = {
    "bare": ["-m", "bench.bare"],
    "server": ["server.py"],
    "profiled": ["-m", "bench.stages"],
}


@dataclass(frozen=True)
class Reading:
    """Counted up to a moment: CPU seconds, of which the describing processes took `describing`."""

    time: float
    cpu: float
    describing: float
    metrics: dict[str, float]


class Receiver:
    """A running one."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self._process = process
        self._root = psutil.Process(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self) -> Reading:
        """Read the counters of the process and its children."""
        cpu = describing = 0.0
        for each in self._family():
            times = each.cpu_times()
            spent = times.user + times.system
            cpu += spent
            describing += spent if _describes(each) else 0.0
        return Reading(time.monotonic(), cpu, describing, self._metrics())

    def memory(self) -> int:
        """Bytes that the process and its workers hold for themselves."""
        return sum(each.memory_full_info().uss for each in self._family() if not _describes(each))

    def _family(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _metrics(self) -> dict[str, float]:
        """Read all samples, by name and labels as they are written."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as response:  # noqa: S310
                text = response.read().decode()
        except urllib.error.HTTPError:  # the bare receiver has none
            return {}
        return {
            sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): (
                sample.value
            )
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def _describes(process: psutil.Process) -> bool:
    return any(part.endswith("describing.py") for part in process.cmdline())


@contextmanager
def receiving(kind: Kind, cores: Sequence[int], *options: str) -> Iterator[Receiver]:
    """Start one on these cores, and end it. `options`: further flags of the server."""
    port = _free_port()
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(port)] if kind == "bare" else _arguments(port, Path(folder), options)
        os.sched_setaffinity(0, cores)  # inherited
        process = subprocess.Popen(  # noqa: S603 - our own programs
            [sys.executable, *_PROGRAMS[kind], *arguments],
            env=os.environ | {"PYTHONPATH": "."},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        os.sched_setaffinity(0, everywhere)
        try:
            url = f"http://{LOOPBACK}:{port}"
            _wait(url, process)
            yield Receiver(process, url)
        finally:
            process.terminate()
            process.wait(30)


def _arguments(port: int, folder: Path, options: Sequence[str]) -> list[str]:
    fixed = ["--http", "--host", LOOPBACK, "--port", str(port), "--ice-address", LOOPBACK]
    fixed += ["--data-dir", str(folder), "--time-limit", "3600", "--max-sessions", "200"]
    return [*fixed, "--rate-per-address", "100000", *options]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until it is ready."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - our own
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("what is to be measured did not start")
