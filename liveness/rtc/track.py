"""The video track transformer: takes a peer's video, has each frame measured, passes it on."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.observation import Observation

MAX_WAIT = 0.1
"""Seconds a frame may wait to be measured; the state that comes of it is then at most 150 ms
behind the video, with the rest for measuring and sending."""

MAX_WAITING = 4
"""Frames that wait: as many as arrive within `MAX_WAIT` at 30 frames a second, and one."""

MAX_PASSED = 2
"""Frames kept for whoever reads this track; the oldest go when nobody does."""

MAX_LEAP = 2.0
"""Seconds that timestamps may run ahead of the clock from one frame to the next. aiortc takes a
timestamp that jumps back for one that wrapped around, and gives 13 hours."""


class MediaClock:
    """The time of frames: seconds since the first, by their timestamps, never standing or back."""

    def __init__(self) -> None:
        self._pts: float | None = None
        self._arrival = 0.0
        self._time = 0.0

    def time(self, pts: float | None, arrival: float) -> float:
        """Place a frame: `pts` by the sender's clock, `arrival` by ours, both in seconds.

        A step that cannot be (none, back, far ahead) is replaced by the time between arrivals.
        """
        first = self._arrival == 0.0
        passed = max(arrival - self._arrival, MIN_STEP)
        step = pts - self._pts if pts is not None and self._pts is not None else passed
        if not MIN_STEP <= step <= passed + MAX_LEAP:
            step = passed
        self._pts, self._arrival = pts, arrival
        if not first:
            self._time += step
        return self._time


MIN_STEP = 1e-4
"""Seconds between two frames at least: one tick of the 90 kHz video clock is a tenth of it."""


@dataclass(slots=True)
class Counters:
    """What became of the frames; `arrival`: when the newest came, seconds of `time.monotonic`."""

    received: int = 0
    dropped: int = 0
    measured: int = 0
    arrival: float | None = None
    measuring: float = 0.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    frame: av.VideoFrame
    time: float
    arrival: float


class VideoTransformTrack(MediaStreamTrack):
    """A video track that measures what passes through it.

    `source` is the peer's track. Frames are measured by `analyser` one at a time in `executor`,
    away from the event loop, and come out of `observations` in order. When measuring falls
    behind, the oldest waiting frames are dropped. `recv` hands each frame on as it came, whether
    or not it was measured.
    """

    kind = "video"

    def __init__(self, source: MediaStreamTrack, analyser: Analyser, executor: Executor) -> None:
        super().__init__()
        self.counters = Counters()
        self.frame: av.VideoFrame | None = None
        """What the newest observation was made of."""
        self._analyser = analyser
        self._executor = executor
        self._source = source
        self._clock = MediaClock()
        self._queue: deque[_Waiting] = deque(maxlen=MAX_WAITING)
        self._passed: deque[av.VideoFrame] = deque(maxlen=MAX_PASSED)
        self._arrived = asyncio.Event()
        self._passing = asyncio.Event()
        self._task = asyncio.create_task(self._receive(), name="video-receive")

    async def observations(self) -> AsyncIterator[Observation]:
        """Measure frame after frame until the peer's track ends."""
        loop = asyncio.get_running_loop()
        while True:
            waiting = self._newest_in_time()
            if waiting is None:
                if self.readyState == "ended":
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            observation = await loop.run_in_executor(self._executor, self._measure, waiting)
            self.counters.measured += 1
            self.frame = waiting.frame
            yield observation

    async def recv(self) -> av.VideoFrame:
        """Pass the next frame on; raises `MediaStreamError` at the end."""
        while not self._passed:
            if self.readyState == "ended":
                raise MediaStreamError
            self._passing.clear()
            await self._passing.wait()
        return self._passed.popleft()

    def stop(self) -> None:
        """End both tracks; what waits is let go."""
        super().stop()
        self._source.stop()
        self._task.cancel()
        self._queue.clear()
        self._passed.clear()
        self.frame = None
        self._wake()

    async def closed(self) -> None:
        """Wait until nothing of this track runs any more."""
        await asyncio.wait([self._task])

    async def _receive(self) -> None:
        """Take every frame as soon as it is decoded: aiortc's own queue has no bound."""
        try:
            while True:
                frame = await self._source.recv()
                if isinstance(frame, av.VideoFrame):
                    self._take(frame)
        except MediaStreamError:
            super().stop()
        finally:
            self._wake()

    def _take(self, frame: av.VideoFrame) -> None:
        arrival = time.monotonic()
        pts = None if frame.pts is None else float(frame.pts * (frame.time_base or 0))
        self.counters.received += 1
        self.counters.arrival = arrival
        self.counters.dropped += len(self._queue) == MAX_WAITING
        self._queue.append(_Waiting(frame, self._clock.time(pts, arrival), arrival))
        self._passed.append(frame)
        self._wake()

    def _newest_in_time(self) -> _Waiting | None:
        """Take the oldest frame that has not waited too long."""
        latest = time.monotonic() - MAX_WAIT
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.arrival >= latest:
                return waiting
            self.counters.dropped += 1
        return None

    def _measure(self, waiting: _Waiting) -> Observation:
        started = time.perf_counter()
        observation = self._analyser.analyse(Luma.of(waiting.frame), waiting.time)
        self.counters.measuring += time.perf_counter() - started
        return observation

    def _wake(self) -> None:
        self._arrived.set()
        self._passing.set()
