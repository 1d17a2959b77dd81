"""A server of somebody else's that a test needs: one of Debian's, on a free port of 127.0.0.1."""

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
START_LIMIT = 10.0  # seconds


class Daemon:
    """Runs `command` while it is entered, in `folder`; it listens at `port`."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self._name = Path(command[0]).name
        self._folder = folder
        self._command = list(command)
        self._environment = os.environ | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self._folder / f"{self._name}.log"

    def start(self) -> None:
        """Start it, again after `stop` or `kill`: at the same port."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                self._command, stdout=log, stderr=log, cwd=self._folder, env=self._environment
            )
        until = time.monotonic() + START_LIMIT
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"{self._name}: {self.log}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let it end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def free_port() -> int:
    """Find one that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
