"""A TURN server of the tests' own: Debian's coturn on free ports of 127.0.0.1."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
START_LIMIT = 10.0  # seconds
SECRET = "a secret of the tests"  # noqa: S105 - it is

# Without a file of its own coturn would read and write those of the machine's.
CONFIG = """\
listening-ip={host}
listening-port={port}
relay-ip={host}
min-port={first}
max-port={last}
realm=liveness.test
use-auth-secret
static-auth-secret={secret}
fingerprint
allow-loopback-peers
no-cli
no-tls
no-dtls
no-multicast-peers
denied-peer-ip=0.0.0.0-255.255.255.255
allowed-peer-ip={host}
no-rfc5780
log-file=stdout
userdb={folder}/turn.db
pidfile={folder}/turn.pid
verbose
"""

RELAY_PORTS = range(49200, 50200)


class TurnServer:
    """Runs while it is entered; relays on `RELAY_PORTS`."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"turn:{LOOPBACK}:{self.port}"
        self._folder = folder
        self._log = folder / "turn.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    def __enter__(self) -> Self:
        config = self._folder / "turnserver.conf"
        first, last = RELAY_PORTS[0], RELAY_PORTS[-1]
        text = CONFIG.format(
            host=LOOPBACK,
            port=self.port,
            first=first,
            last=last,
            secret=SECRET,
            folder=self._folder,
        )
        config.write_text(text)
        command = [program() or "turnserver", "-c", str(config)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                command, stdout=log, stderr=log, cwd=self._folder
            )
        until = time.monotonic() + START_LIMIT
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(f"turnserver: {self.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # it has nothing to keep, and takes seconds to end by itself
            self._process.wait()


def program() -> str | None:
    """Where `turnserver` is, None where it is not installed."""
    return shutil.which("turnserver")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
