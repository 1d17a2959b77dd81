"""The place of a process: which worker of which node it is, and how others reach it.

A node is one start of the server, on one machine: a single process, or a supervisor's workers.
"""

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_OWNER = re.compile(r"(?P<node>[0-9a-f]{16})\.(?P<slot>\d{1,4})\.[0-9a-f]{8}(?:@(?P<url>.+))?")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a process sits; by default on its own.

    `slot` counts the workers of the node from 0. `folder`: where they meet, None where there is
    only one. `url`: where other nodes reach this one, None if they do not.
    """

    node: str = field(default_factory=lambda: secrets.token_hex(8))
    slot: int = 0
    workers: int = 1
    folder: Path | None = None
    url: str | None = None
    start: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def owner(self) -> str:
        """Its name in records; the worker that follows at the same slot has another one."""
        return f"{self.node}.{self.slot}.{self.start}" + (f"@{self.url}" if self.url else "")

    def share(self, total: int, slot: int | None = None) -> int:
        """How much of a total falls to one slot, this one's by default."""
        whole, rest = divmod(total, self.workers)
        return whole + ((self.slot if slot is None else slot) < rest)


@dataclass(frozen=True, slots=True)
class Owner:
    """What the name of a process tells about it."""

    node: str
    slot: int
    url: str | None

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a name that `Seat.owner` gave; None for any other."""
        match = _OWNER.fullmatch(name)
        return match and cls(match["node"], int(match["slot"]), match["url"])


def door(folder: Path, slot: int) -> Path:
    """Find the Unix socket at which a worker answers the others."""
    return folder / f"{slot}.sock"
