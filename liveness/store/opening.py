"""What `--store` can say, and the store it means."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from liveness.store import Store
from liveness.store.memory import MemoryStore
from liveness.store.sqlite import SqliteStore

MEMORY, SQLITE = "memory", "sqlite"
FILE = "liveness.db"
"""In the data directory, for `sqlite` without a path."""

REDIS = ("redis", "rediss")


def checked(address: str) -> str:
    """Raise `ValueError` for what no store is, without repeating what may hold a password."""
    if address in {MEMORY, SQLITE} or re.fullmatch(rf"{SQLITE}:.+", address):
        return address
    try:
        url = urlsplit(address)
        options = {name for name, _ in parse_qsl(url.query, keep_blank_values=True)}
        # Of what redis-py takes there only what TLS needs: a password has its place.
        valid = url.port != 0 and all(name.startswith("ssl_") for name in options)
    except ValueError:
        valid = False
    if not (valid and url.scheme in REDIS and url.hostname and re.fullmatch(r"/?\d*", url.path)):
        raise ValueError(
            "a store is memory, sqlite, sqlite:PATH or "
            "redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/N][?ssl_OPTION=...]"
        )
    return address


async def open_store(address: str, data_dir: Path) -> Store:
    """Open what `checked` has let through; raises `StoreUnavailable`."""
    if address == MEMORY:
        return MemoryStore()
    kind, _, path = address.partition(":")
    if kind == SQLITE:
        return await SqliteStore.open(Path(path) if path else data_dir / FILE)
    from liveness.store.redis import RedisStore  # noqa: PLC0415 - only who wants it waits for it

    return await RedisStore.open(address)
