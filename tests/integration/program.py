"""`server.py` as whoever runs it starts it: a process, and those that it begins."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil
from aiohttp import ClientSession, CookieJar, TCPConnector

from tests.integration.plain import LOOPBACK

ROOT = Path(__file__).parents[2]


class Program:
    """Ends when it is left. It runs on 127.0.0.1 and a free port; what it keeps is in `folder`."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        self.folder = folder
        self.url = ""
        self.log = folder / "log"
        self._command = [
            *(sys.executable, str(ROOT / "server.py"), "--http", "--most-load", "0"),
            *("--host", LOOPBACK, "--port", str(port), "--ice-address", LOOPBACK),
            *("--data-dir", str(folder / "data"), *arguments),
        ]

    def begin(self) -> Self:
        """Start it; it serves when it is `ready`."""
        environment = os.environ | {"TMPDIR": str(self.folder)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                self._command, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        return self

    def ready(self) -> Self:
        """Wait until it says where to go."""
        said = ""
        while "Model" not in said:
            line = self.process.stdout.readline().decode() if self.process.stdout else ""
            assert line, self.log.read_text()
            said += line
        self.url = re.findall(r"http://\S+", said)[0]
        return self

    def processes(self) -> list[psutil.Process]:
        """All that it has begun, and that have begun others."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def worker(self, slot: int) -> psutil.Process:
        """The worker at a slot."""
        workers = psutil.Process(self.process.pid).children()
        return next(each for each in workers if each.cmdline()[-1] == str(slot))

    def client(self) -> ClientSession:
        """Make a client with a new connection for each request: any worker may take it."""
        connector = TCPConnector(force_close=True)
        return ClientSession(self.url, connector=connector, cookie_jar=CookieJar(unsafe=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.communicate()


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
