"""The balancer of `deploy/`: Debian's haproxy, with the very configuration that is deployed."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
START_LIMIT = 10.0  # seconds
CONFIG = Path(__file__).parents[1] / "deploy" / "haproxy.cfg"


class HaproxyServer:
    """Runs while it is entered, in front of two nodes (`HOST:PORT`); `cert`: of it and its key."""

    def __init__(self, folder: Path, cert: Path, nodes: tuple[str, str]) -> None:
        self.port = _free_port()
        self.url = f"https://{LOOPBACK}:{self.port}"
        self._log = folder / "haproxy.log"
        self._environment = os.environ | {
            "LIVENESS_BIND": f"{LOOPBACK}:{self.port}",
            "LIVENESS_CERT": str(cert),
            "LIVENESS_NODE1": nodes[0],
            "LIVENESS_NODE2": nodes[1],
        }
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> str:
        """Have it read its configuration; gives what it says, nothing where all is well."""
        command = [program() or "haproxy", "-c", "-q", "-f", str(CONFIG)]
        found = subprocess.run(  # noqa: S603 - ours
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        return found.stderr or ("" if found.returncode == 0 else f"status {found.returncode}")

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                [program() or "haproxy", "-db", "-f", str(CONFIG)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_LIMIT
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(f"haproxy: {self._log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # it would wait for idle connections
            self._process.wait()


def program() -> str | None:
    """Where `haproxy` is, None where it is not installed."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
