"""A TURN server of the tests' own: Debian's coturn."""

from pathlib import Path

from tests.daemon import LOOPBACK, Daemon, free_port
from tests.needed import installed

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
no-tcp-relay
denied-peer-ip=0.0.0.0-255.255.255.255
allowed-peer-ip={host}
no-rfc5780
log-file=stdout
userdb={folder}/turn.db
pidfile={folder}/turn.pid
verbose
"""

RELAY_PORTS = range(49200, 50200)


class TurnServer(Daemon):
    """Relays on `RELAY_PORTS`."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        config = folder / "turnserver.conf"
        text = CONFIG.format(
            host=LOOPBACK,
            port=port,
            first=RELAY_PORTS[0],
            last=RELAY_PORTS[-1],
            secret=SECRET,
            folder=folder,
        )
        config.write_text(text)
        super().__init__(folder, [installed("turnserver", "coturn"), "-c", str(config)], port)
        self.url = f"turn:{LOOPBACK}:{port}"
