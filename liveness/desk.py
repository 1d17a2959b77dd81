"""Where single pictures are looked at: beside the live sessions, and never in their way."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from liveness.errors import Busy, ServerStopping

MOST_WAITING = 16
"""Pictures that wait or are looked at: half a second's work for one thread."""

MOST_HELD = 128 * 1024 * 1024
"""Bytes of bodies that are held at once, of all clients together."""

RETRY_AFTER = 1
"""Seconds, by when pictures that wait now have been looked at."""

Result = TypeVar("Result")


class Tray:
    """The bytes of one request, as long as they are held."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self.size = 0

    def hold(self, size: int) -> None:
        """Hold so many bytes more; raises `Busy`."""
        self._desk.held += size
        self.size += size
        if self._desk.held > MOST_HELD:
            raise Busy(retry_after=RETRY_AFTER)


class Desk:
    """Has threads of its own, fewer than the sessions have."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="desk")
        self._free = asyncio.Semaphore(threads)
        self._waiting = 0
        self.held = 0

    @contextmanager
    def tray(self) -> Iterator[Tray]:
        """Count what a request holds, until it is answered."""
        tray = Tray(self)
        try:
            yield tray
        finally:
            self.held -= tray.size

    async def work(self, job: Callable[[], Result]) -> Result:
        """Do `job` on a thread, in the order of coming; raises `Busy`, and what the job raises."""
        if self._waiting >= MOST_WAITING:
            raise Busy(retry_after=RETRY_AFTER)
        self._waiting += 1
        try:
            async with self._free:
                return await self._run(job)
        finally:
            self._waiting -= 1

    async def _run(self, job: Callable[[], Result]) -> Result:
        """Do it now. Whoever stops waiting keeps the place until the thread is free."""
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, job)
        except RuntimeError:  # the executor was shut down meanwhile
            raise ServerStopping(retry_after=RETRY_AFTER) from None
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    async def close(self) -> None:
        """Refuse further jobs, and wait for those under way."""
        await asyncio.to_thread(self._executor.shutdown, wait=True)
