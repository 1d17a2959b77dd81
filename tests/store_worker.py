"""What tests have another process do with a store: `python -m tests.store_worker WHAT ADDRESS`."""

import asyncio
import random
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from liveness.errors import StoreUnavailable
from liveness.store import Record, Status, Store
from liveness.store.opening import open_store
from liveness.verdict import Reason, decide

NOW = datetime(2126, 1, 1, tzinfo=UTC)  # Redis forgets by itself what is long over
VERDICT = decide((), (Reason.TIME_LIMIT,), frames=1, seconds=1.0, finished_at=NOW)

LITTLE = 256 * 1024  # bytes that a file may have on a disk that is almost full


def record(name: str, status: Status = Status.CREATED, **fields: Any) -> Record:
    made = Record(
        id=name,
        token_digest=f"digest of {name}",
        challenges=None,
        status=status,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )
    return made.model_copy(update=fields)


async def claim(store: Store, owner: str) -> None:
    """Claim what can be claimed, in any order, and say what was."""
    ids = [each.id for each in (await store.page(None, after=None, limit=1000)).records]
    random.shuffle(ids)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for session_id in ids:
        if await store.change(session_id, {"owner": owner}, when=lambda old: old.owner is None):
            print(session_id, flush=True)
        await store.hit("shared", limit=1000, window=60)
        await store.beat("shared")


async def finish(store: Store, _: str) -> None:
    """Keep verdict after verdict until killed; say each when it is kept."""
    number = 0
    while True:
        name = str(number)
        await store.create(record(name))
        fields = {"status": Status.FINISHED, "verdict": VERDICT}
        await store.change(name, fields, when=lambda old: old.verdict is None)
        print(name, flush=True)
        number += 1


async def fill(store: Store, _: str) -> None:
    """Write until the disk is full, find out, make room, and go on."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    await store.create(record("first"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, most))
    try:
        for number in range(1000):
            await store.put_picture("first", str(number), bytes(10_000))
    except StoreUnavailable:
        print("full", flush=True)
    try:
        while True:  # until not even that can be written
            await store.ping()
            await store.create(record(str(random.random())))
    except StoreUnavailable:
        print("not ready", flush=True)
    found = await store.get("first")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await store.ping()
    await store.create(record("last"))
    print("readable" if found else "lost", "writable", flush=True)


async def main(what: str, address: str, owner: str = "") -> None:
    store = await open_store(address, Path())
    await {"claim": claim, "finish": finish, "fill": fill}[what](store, owner)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
