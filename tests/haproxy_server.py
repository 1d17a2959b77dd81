"""The balancer of `deploy/`: Debian's haproxy, with the very configuration that is deployed."""

import os
import subprocess
from pathlib import Path

from tests.daemon import LOOPBACK, Daemon, free_port
from tests.needed import installed

CONFIG = Path(__file__).parents[1] / "deploy" / "haproxy.cfg"


class HaproxyServer(Daemon):
    """Stands in front of two nodes (`HOST:PORT`); `cert`: of it and its key."""

    def __init__(self, folder: Path, cert: Path, nodes: tuple[str, str]) -> None:
        port = free_port()
        self.url = f"https://{LOOPBACK}:{port}"
        self._variables = {
            "LIVENESS_BIND": f"{LOOPBACK}:{port}",
            "LIVENESS_CERT": str(cert),
            "LIVENESS_NODE1": nodes[0],
            "LIVENESS_NODE2": nodes[1],
        }
        command = [installed("haproxy", "haproxy"), "-db", "-f", str(CONFIG)]
        super().__init__(folder, command, port, self._variables)

    def check(self) -> str:
        """Have it read its configuration; gives what it says, nothing where all is well."""
        command = [installed("haproxy", "haproxy"), "-c", "-q", "-f", str(CONFIG)]
        found = subprocess.run(  # noqa: S603 - ours
            command,
            env=os.environ | self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stderr or ("" if found.returncode == 0 else f"status {found.returncode}")
