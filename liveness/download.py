"""The download of the GTX weights as the server does it: once, whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from liveness.errors import LivenessError, ModelUnwritable, ServerStopping
from liveness.fetch import Limits, fetch

LOOK_INTERVAL = 1.0
"""Seconds between two looks for a file that another process has fetched."""

RETRY_AFTER = 5
"""Seconds, by when a server that stops has been replaced, where it is."""

_LOG_STEP = 10
"""Percent between two lines of the log."""

_LOG_BYTES = 8 * 1024 * 1024
"""The same where the source does not tell how much there is."""

log = structlog.get_logger(__name__)


class State(StrEnum):
    """How far it has come."""

    IDLE = "idle"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"


_SENTENCES = {
    State.IDLE: "Nobody has asked for the model yet",
    State.DOWNLOADING: "The model is being downloaded",
    State.DONE: "Model downloaded successfully",
}


@dataclass(slots=True)
class Status:
    """What can be polled. `received`, `total`: bytes of the packed file; None: not known."""

    state: State = State.IDLE
    received: int = 0
    total: int | None = None
    error: LivenessError | None = None

    @property
    def percent(self) -> int | None:
        """How much has come, 0..100."""
        return None if not self.total else min(100 * self.received // self.total, 100)

    @property
    def message(self) -> str:
        """All that in words."""
        return _SENTENCES[self.state] if self.error is None else self.error.detail


class Download:
    """Fetches one file of weights from `url` to `target`; whoever asks meanwhile joins in.

    `use`: has the server go on with the new file; awaited before anybody is told that it is there.
    """

    def __init__(
        self,
        url: str,
        target: Path,
        use: Callable[[Path], Awaitable[None]],
        limits: Limits | None = None,
    ) -> None:
        self.status = Status(State.DONE if target.exists() else State.IDLE)
        self._url = url
        self._target = target
        self._use = use
        self._limits = limits
        self._task: asyncio.Task[None] | None = None
        self._follower: asyncio.Task[None] | None = None
        self._in_use = target.exists()
        self._unusable = False
        self._logged: int | None = None

    async def join(self) -> Status:
        """Wait for the download, which begins if there is none; raises why it failed.

        Whoever stops waiting leaves it to the others: it goes on.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="download")
        await asyncio.wait([self._task])
        if self._task.cancelled():
            raise ServerStopping(retry_after=RETRY_AFTER)
        self._task.result()
        if self.status.error is not None:
            raise self.status.error.with_traceback(None)
        return self.status

    def follow(self) -> None:
        """Use the file when another process has fetched it: a worker, or the command line."""
        self._follower = asyncio.create_task(self._follow(), name="follow download")

    async def _follow(self) -> None:
        while not self._in_use:
            await asyncio.sleep(LOOK_INTERVAL)
            waits = self.status.state in {State.IDLE, State.FAILED}
            # A file that was of no use is for whoever asks to try again.
            if waits and not self._unusable and self._target.exists():
                with suppress(LivenessError):  # is kept, and logged
                    await self.join()

    async def close(self) -> None:
        """Stop it; what has come stays for the next time."""
        for task in (self._follower, self._task):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        """Do it; failures are kept for everybody who joined."""
        self.status = Status(State.DOWNLOADING)
        self._logged = None
        try:
            if not self._target.exists():
                log.info("downloading weights", name=self._target.name)
                await fetch(self._url, self._target, progress=self._tell, limits=self._limits)
                log.info("weights downloaded", name=self._target.name)
                self._in_use = False
            if not self._in_use:
                await self._use(self._target)
                self._in_use = True
        except LivenessError as error:
            self._fail(error)
        except OSError as error:
            self._fail(ModelUnwritable(f"{self._target} cannot be written: {error.strerror}"))
        except asyncio.CancelledError:
            self._fail(LivenessError("The server is stopping"))
            raise
        except Exception:
            self._fail(LivenessError())
            raise
        else:
            self.status.state = State.DONE

    def _fail(self, error: LivenessError) -> None:
        self._unusable = self._target.exists()
        log.warning("weights not downloaded", code=error.code, detail=error.detail)
        self.status.state = State.FAILED
        self.status.error = error

    def _tell(self, received: int, total: int | None) -> None:
        self.status.received, self.status.total = received, total
        percent = self.status.percent
        step = received // _LOG_BYTES if percent is None else percent // _LOG_STEP
        if step != self._logged:
            self._logged = step
            log.info("downloading weights", percent=percent, received=received, total=total)
