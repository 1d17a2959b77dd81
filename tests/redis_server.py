"""A Redis of the tests' own: Debian's `redis-server` on a free port of 127.0.0.1."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
START_LIMIT = 10.0  # seconds


class RedisServer:
    """Runs while it is entered; `arguments` are Redis' own, such as `--requirepass`."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        self.port = port or _free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self._command = [
            *(program() or "redis-server", "--bind", LOOPBACK, "--port", str(self.port)),
            *("--dir", str(folder), "--save", "", "--daemonize", "no", *arguments),
        ]
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after `stop` or `kill`: at the same port."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)  # noqa: S603 - ours
        until = time.monotonic() + START_LIMIT
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"redis-server: {self._log.read_text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def empty(self) -> None:
        """Forget everything."""
        with socket.create_connection((LOOPBACK, self.port), START_LIMIT) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if connection.recv(16) != b"+OK\r\n":
                raise RuntimeError("redis-server does not forget")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def program() -> str | None:
    """Where `redis-server` is, None where it is not installed."""
    return shutil.which("redis-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
