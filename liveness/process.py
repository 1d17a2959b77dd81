"""What every process of the server does: it stops when it is told to, in one of two ways.

And it may have as many files as the machine grants.
"""

import asyncio
import os
import resource
import signal
import threading
from collections.abc import Coroutine
from functools import partial

import structlog

STOP_LIMIT = 60.0
"""Seconds that a process has to end, once told: more than its sessions need to say goodbye, and to
keep their verdicts in a store that is away for a while (`ledger.KEEP_LIMIT`)."""

MOST_FILES = 65_536
"""Files that one process ever needs; not every system takes "as many as you like" for an answer."""

log = structlog.get_logger(__name__)


class Stop:
    """What a process was told about its end: `told` that it comes, `at_once` not to wait."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.at_once = asyncio.Event()

    def tell(self, *, at_once: bool) -> None:
        """Tell it."""
        if at_once:
            self.at_once.set()
        self.told.set()

    async def grace(self, work: Coroutine[None, None, None], seconds: float) -> None:
        """Give `work` so many seconds to end by itself, and none any more once there is no time."""
        task, hurry = asyncio.create_task(work), asyncio.create_task(self.at_once.wait())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({task, hurry}, timeout=seconds, return_when=first)
            if task.done():
                task.result()
        finally:
            task.cancel()
            hurry.cancel()
            await asyncio.wait({task, hurry})


def told_to_stop(*, worker: bool = False) -> Stop:
    """Have SIGTERM tell of the end, and SIGINT, or a second SIGTERM, that it comes at once.

    A `worker` gets every SIGTERM of its supervisor, and of whoever signals all processes at once.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, partial(stop.tell, at_once=True))
    loop.add_signal_handler(
        signal.SIGTERM, lambda: stop.tell(at_once=stop.told.is_set() and not worker)
    )
    return stop


def allow_many_files() -> None:
    """Raise the limit for this process, and those that it begins: each connection is a file."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if resource.RLIM_INFINITY != now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def end_within(seconds: float) -> None:
    """End this process after so long, if it has not ended by then: nobody else may do it."""

    def end() -> None:
        log.error("process does not end")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
