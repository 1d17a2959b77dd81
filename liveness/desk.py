"""Where single pictures are looked at: beside the live sessions, and never in their way."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from liveness.errors import Busy, RateLimited, ServerStopping

MOST_WAITING = 16
"""Pictures that wait or are looked at: half a second's work for one thread."""

MOST_HELD = 128 * 1024 * 1024
"""Bytes of bodies that are held at once, of all clients together."""

MOST_SHARE = 0.75
"""Of both, for one client: the rest is there for others."""

RETRY_AFTER = 1
"""Seconds, by when pictures that wait now have been looked at."""

Result = TypeVar("Result")


class Room:
    """So much of something, of which nobody takes all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._each: Counter[str] = Counter()
        self.taken = 0

    def take(self, client: str, number: int = 1) -> None:
        """Take so much; raises `RateLimited` if it is too much for one, `Busy` if for all."""
        if self._each[client] + number > MOST_SHARE * self._most:
            detail = "As many pictures of this address are looked at as can be; send it again"
            raise RateLimited(detail, retry_after=RETRY_AFTER)
        if self.taken + number > self._most:
            raise Busy(retry_after=RETRY_AFTER)
        self._each[client] += number
        self.taken += number

    def give_back(self, client: str, number: int = 1) -> None:
        """Leave it to others."""
        self.taken -= number
        self._each[client] -= number
        if not self._each[client]:
            del self._each[client]


class Tray:
    """What one request of a client takes of the desk."""

    def __init__(self, desk: "Desk", client: str) -> None:
        self._desk = desk
        self._client = client
        self.size = 0

    def hold(self, size: int) -> None:
        """Hold so many bytes more; raises `Busy`, `RateLimited`."""
        self._desk.bytes.take(self._client, size)
        self.size += size

    async def work(self, job: Callable[[], Result]) -> Result:
        """Have `job` done at the desk."""
        return await self._desk.work(self._client, job)


class Desk:
    """Has threads of its own, fewer than the sessions have. `bytes`: of bodies."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="desk")
        self._free = asyncio.Semaphore(threads)
        self._places = Room(MOST_WAITING)
        self.bytes = Room(MOST_HELD)

    @contextmanager
    def tray(self, client: str) -> Iterator[Tray]:
        """Count what a request holds, until it is answered."""
        tray = Tray(self, client)
        try:
            yield tray
        finally:
            self.bytes.give_back(client, tray.size)

    async def work(self, client: str, job: Callable[[], Result]) -> Result:
        """Do `job` on a thread, in the order of coming.

        Raises `Busy`, `RateLimited`, `ServerStopping`, and what the job raises.
        """
        self._places.take(client)
        try:
            async with self._free:
                return await self._run(job)
        finally:
            self._places.give_back(client)

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
