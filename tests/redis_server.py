"""A Redis of the tests' own: Debian's `redis-server`."""

import socket
from pathlib import Path

from tests.daemon import LOOPBACK, START_LIMIT, Daemon, free_port
from tests.needed import installed


class RedisServer(Daemon):
    """`arguments` are Redis' own, such as `--requirepass`."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        port = port or free_port()
        command = [
            *(installed("redis-server", "redis-server"), "--bind", LOOPBACK, "--port", str(port)),
            *("--dir", str(folder), "--save", "", "--daemonize", "no", *arguments),
        ]
        super().__init__(folder, command, port)
        self.url = f"redis://{LOOPBACK}:{port}/0"

    def empty(self) -> None:
        """Forget everything."""
        with socket.create_connection((LOOPBACK, self.port), START_LIMIT) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if connection.recv(16) != b"+OK\r\n":
                raise RuntimeError("redis-server does not forget")
