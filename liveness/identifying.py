"""Identity in live sessions: faces are described elsewhere, never in the way of frames."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import av
import structlog

from liveness.challenge.sequence import Progress
from liveness.describing import Describer, DescriberDied
from liveness.evidence.identity import TEMPLATE, Descriptor, Identity, Purpose, Request
from liveness.stopwatch import Took, timed, unheard
from liveness.vision.chip import face_chip
from liveness.vision.observation import Observation

Told = Callable[[float], None]

log = structlog.get_logger(__name__)


class Identifying:
    """What all sessions share; `describer`: None where faces cannot be compared.

    `took`: told how long each face takes, as `compare`.
    """

    def __init__(self, describer: Describer | None, took: Took = unheard) -> None:
        self.describer = describer
        self._took = took
        # Cuts faces out and waits for the process: neither is work for the event loop.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="identify")

    def identifier(self, told: Told = lambda _distance: None) -> "Identifier":
        """Make the identifier of one session; the process begins with the first.

        `told`: of the distance of each two faces that are compared.
        """
        if self.describer is not None:
            self._executor.submit(self.describer.begin)
        return Identifier(self, told)

    async def describe(self, frame: av.VideoFrame, request: Request) -> Descriptor | None:
        """Describe a face; None when the process died over it."""
        describer = self.describer
        if describer is None:
            return None
        loop = asyncio.get_running_loop()
        landmarks = request.face.landmarks

        @timed(self._took, "compare")
        def describe() -> Descriptor:
            return describer.describe(face_chip(frame, landmarks))

        try:
            return await loop.run_in_executor(self._executor, describe)
        except DescriberDied as error:
            log.warning("the process that describes faces is gone", detail=str(error))
            return None

    async def close(self) -> None:
        """End the process, once; every session must have ended before."""
        describer, self.describer = self.describer, None
        if describer is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, describer.close)
        self._executor.shutdown(wait=True)


class Identifier:
    """Compares the faces of one session; describes at most one at a time.

    Faces of the first step wait for their turn: those that come later may be somebody else's.
    """

    def __init__(self, shared: Identifying, told: Told) -> None:
        self._shared = shared
        self._told = told
        self.identity = None if shared.describer is None else Identity()
        """What is told of faces; None where they cannot be compared."""
        self._running: tuple[Request, asyncio.Task[Descriptor | None]] | None = None
        self._waiting: deque[tuple[av.VideoFrame, Request]] = deque(maxlen=TEMPLATE)

    def offer(self, frame: av.VideoFrame, observation: Observation, progress: Progress) -> None:
        """Have the face described if it is wanted and none is under way.

        Raises whatever went wrong with the one before.
        """
        if self.identity is None:
            return
        self._take(self.identity)
        request = self.identity.follow(observation, progress)
        if request is not None and request.purpose is Purpose.ENROL:
            self._waiting.append((frame, request))
            request = None
        if self._running is not None:
            return
        waited = self._next(self.identity)
        if waited is not None:
            frame, request = waited
        if request is not None:
            describing = self._shared.describe(frame, request)
            self._running = request, asyncio.create_task(describing, name="describe")

    @property
    def overdue(self) -> bool:
        """Whether a comparison has been waited for in vain."""
        return self.identity is not None and self.identity.overdue

    @property
    def hidden(self) -> bool:
        """Whether that is because no face was to be seen since."""
        return self.identity is not None and self.identity.hidden

    async def close(self) -> None:
        """Let go of what is under way."""
        if self.overdue:
            log.warning("faces were not compared: no answer in time")
        if self._running is not None:
            _, task = self._running
            task.cancel()
            await asyncio.wait([task])
            self._running = None

    def _next(self, identity: Identity) -> tuple[av.VideoFrame, Request] | None:
        """Give the first of the waiting faces that is still wanted."""
        while self._waiting:
            frame, request = self._waiting.popleft()
            if identity.wants(request):
                return frame, request
        return None

    def _take(self, identity: Identity) -> None:
        if self._running is None or not self._running[1].done():
            return
        (request, task), self._running = self._running, None
        descriptor = task.result()
        apart = None if descriptor is None else identity.take(request, descriptor)
        if apart is not None:
            self._told(apart)
