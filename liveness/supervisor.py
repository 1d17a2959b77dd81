"""Keeps the workers of a node running behind one port, and loads nothing of what they need.

It binds the port and hands the socket to each of them. A worker that ends is replaced at once; what
it left behind is put in order meanwhile. One that hangs is ended.
"""

import asyncio
import json
import os
import pickle
import secrets
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import structlog
from prometheus_client.multiprocess import mark_process_dead

from liveness import board
from liveness.board import BEAT_INTERVAL, Board
from liveness.errors import KeyUnusable, StoreUnavailable, WorkerFailed
from liveness.issuing import Issuing
from liveness.keys import KeyFolder
from liveness.ledger import Ledger
from liveness.orders import Orders
from liveness.process import STOP_LIMIT
from liveness.seat import Seat
from liveness.settings import Settings
from liveness.store import Record
from liveness.store.opening import open_store
from liveness.tls import server_context
from liveness.verdict import Verdict

QUICK = 10.0
"""Seconds: a worker that ends sooner has hardly served anybody."""

MOST_PAUSE = 30.0
"""Seconds between two starts at most, when workers end quickly one after the other."""

PATIENCE = 20.0
"""Seconds for which the event loop of a worker may stand still: far more than a full machine makes
it, and its sessions are lost by then."""

START_LIMIT = 120.0
"""Seconds that a worker has to begin: ten times what it takes where code has to be compiled."""

_PACKAGE = Path(__file__).parents[1]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Worker:
    seat: Seat
    process: Process

    async def ready(self) -> list[str]:
        """Wait until it serves; gives the models that look. Raises `WorkerFailed`."""
        try:
            async with asyncio.timeout(START_LIMIT):
                report = await self._said()
        except TimeoutError:
            self.stop(signal.SIGKILL)
            raise WorkerFailed(f"It was not ready in {START_LIMIT:g} s") from None
        if "models" not in report:
            raise WorkerFailed(await self.end(report))
        models: list[str] = report["models"]
        return models

    async def end(self, report: dict[str, Any] | None = None) -> str:
        """Wait for its end; says what it ended with, and of what."""
        report = report or await self._said()
        status = await self.process.wait()
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return str(report.get("error", f"It ended with {name}"))

    async def _said(self) -> dict[str, Any]:
        """Wait for a report; nothing, if it ends without one."""
        line = await self.process.stdout.readline() if self.process.stdout else b""
        report: dict[str, Any] = json.loads(line or "{}")
        return report

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to stop."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


class Supervisor:
    """All workers of a node. `models`: those that look, in words."""

    def __init__(
        self, settings: Settings, folder: Path, sockets: list[socket.socket], patience: float
    ) -> None:
        """Use `running`."""
        self.models: list[str] = []
        self._settings = settings
        self._folder = folder
        self._sockets = sockets
        self._patience = patience
        board.create(folder, settings.processes)
        self._node = secrets.token_hex(8)
        self._stopping = asyncio.Event()
        self._workers: dict[int, _Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, patience: float = PATIENCE) -> AsyncIterator[Self]:
        """Have all workers serve, until the context ends; raises `LivenessError`, `OSError`.

        `patience`: seconds that a worker may hang.
        """
        if not settings.http:
            server_context(settings.cert_dir)  # makes the certificate, before all of them want to
        sockets = await _bind(settings)
        # Of this user alone: who can write there speaks for the workers.
        with TemporaryDirectory(prefix="liveness-", ignore_cleanup_errors=True) as folder:
            supervisor = cls(settings, Path(folder), sockets, patience)
            try:
                await supervisor._start()
                yield supervisor
            finally:
                await supervisor._stop()
                for each in sockets:
                    each.close()

    @property
    def port(self) -> int:
        """The port that the workers share."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    async def _start(self) -> None:
        workers = [await self._launch(slot) for slot in range(self._settings.processes)]
        try:
            self.models, *_ = await asyncio.gather(*(each.ready() for each in workers))
        except WorkerFailed:
            for each in workers:
                each.stop()
            raise
        for each in workers:
            self._spawn(self._tend(each))

    async def drain(self) -> None:
        """Have the workers take no further sessions, and end when those that run are over."""
        self._stopping.set()
        for each in self._workers.values():
            each.stop()
        await asyncio.gather(*(each.process.wait() for each in self._workers.values()))

    async def _stop(self) -> None:
        self._stopping.set()
        for each in self._workers.values():
            each.stop(signal.SIGINT)
        ends = asyncio.gather(*(each.process.wait() for each in self._workers.values()))
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await asyncio.shield(ends)
        except TimeoutError:
            log.error("workers do not end")  # noqa: TRY400 - where it was raised tells nothing
            for each in self._workers.values():
                each.stop(signal.SIGKILL)
        await asyncio.gather(ends, *self._tasks)

    async def _launch(self, slot: int) -> _Worker:
        """Begin a worker; it serves when it is `ready`. Raises `OSError`."""
        settings = self._settings
        seat = Seat(self._node, slot, settings.processes, self._folder, settings.node_url)
        numbers = tuple(each.fileno() for each in self._sockets)
        path = os.pathsep.join(filter(None, (str(_PACKAGE), os.environ.get("PYTHONPATH"))))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "liveness.worker", str(slot)),  # for those who read `ps`
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=numbers,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor, which passes it on
        )
        self._workers[slot] = worker = _Worker(seat, process)
        if process.stdin is not None:  # stays open: its end is the supervisor's
            process.stdin.write(pickle.dumps(Orders(settings, seat, numbers)))
        if self._stopping.is_set():
            worker.stop()
        return worker

    async def _tend(self, worker: _Worker) -> None:
        """See to the end of a worker, replace it, and so on."""
        slot, quick = worker.seat.slot, 0
        alive: _Worker | None = worker
        while not self._stopping.is_set():
            began = time.monotonic()
            if alive is not None:
                await self._outlive(alive)
            quick = quick + 1 if time.monotonic() - began < QUICK else 0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause(quick))
            if not self._stopping.is_set():
                alive = await self._replace(slot)

    async def _watch(self, worker: _Worker) -> None:
        """Kill a worker whose event loop stands still.

        Looks are counted and not seconds: where this process stood still as well, as all do while
        a machine sleeps, nobody is killed for it.
        """
        own, seen, still = Board(worker.seat), -1, 0
        while worker.process.returncode is None and not self._stopping.is_set():
            if still * BEAT_INTERVAL >= self._patience:
                log.error("worker hangs", worker=worker.seat.slot, pid=worker.process.pid)
                worker.stop(signal.SIGKILL)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BEAT_INTERVAL)
            still = still + 1 if own.beats == seen else 0
            seen = own.beats

    async def _outlive(self, worker: _Worker) -> None:
        self._spawn(self._watch(worker))
        detail, slot = await worker.end(), worker.seat.slot
        # It takes no sessions, and counts none that run.
        Board(worker.seat).tell(None)
        mark_process_dead(slot, str(self._folder))  # type: ignore[no-untyped-call]
        if not self._stopping.is_set():
            log.warning("worker ended", worker=slot, pid=worker.process.pid, detail=detail)
            self._spawn(self._bury(worker.seat.owner))

    async def _replace(self, slot: int) -> _Worker | None:
        """Begin the next worker; what keeps it from serving is logged."""
        worker = None
        try:
            worker = await self._launch(slot)
            await worker.ready()
        except (WorkerFailed, OSError) as error:
            if not self._stopping.is_set():
                log.warning("worker does not start", worker=slot, detail=str(error))
        else:
            log.info("worker replaced", worker=slot, pid=worker.process.pid)
        return worker

    async def _bury(self, owner: str) -> None:
        """End the sessions of a worker that is dead."""
        settings = self._settings
        try:
            store = await open_store(settings.store, settings.data_dir)
            try:
                lifetime = timedelta(seconds=settings.verdict_lifetime)
                folder = KeyFolder(settings.data_dir)
                issuing = Issuing(folder, store, issuer=settings.issuer, lifetime=lifetime)
                await issuing.refresh(datetime.now(UTC))
                retention = timedelta(seconds=settings.retention)

                def sign(verdict: Verdict, record: Record) -> Verdict:
                    return issuing.issue(verdict, record, datetime.now(UTC))

                await Ledger(store, retention, sign).bury(owner)
            finally:
                await store.close()
        except (KeyUnusable, StoreUnavailable) as error:
            log.warning("left to the other workers", owner=owner, detail=error.detail)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def pause(quick: int) -> float:
    """Seconds until the next worker begins, after so many quick ends in a row."""
    return 0.0 if quick <= 1 else min(2.0 ** (quick - 2), MOST_PAUSE)


async def _bind(settings: Settings) -> list[socket.socket]:
    """Take the port, on each address that is meant; who comes is let in by the workers."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        asyncio.Protocol, settings.host or None, settings.port, start_serving=False
    )
    sockets: list[socket.socket] = [each.dup() for each in server.sockets]
    server.close()
    return sockets
