"""The video track transformer: takes a peer's video, has each frame measured, passes it on."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import av
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from liveness.rtc import jitter
from liveness.rtc.decoding import DecodingThreads, Lane, divert
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.observation import Observation

MAX_WAIT = 0.1
"""Seconds a frame may wait to be measured; the state that comes of it is then at most 150 ms
behind the video, with the rest for measuring and sending."""

MAX_MEASURED = 4
"""Measured frames that wait for the session: as many as come within `MAX_WAIT`, and one."""

MAX_PASSED = 2
"""Frames kept for whoever reads this track; the oldest go when nobody does."""

MOST_PIXELS = 2560 * 1440
"""Of one picture, as many as 1920x1920 has. No face needs more, and 30 a second that are larger
take half a core to decode alone: 17 ms each at 3840x2160, where this size takes 4."""

MAX_LEAP = 2.0
"""Seconds that timestamps may run ahead of our clock, in all: a sender whose clock runs fast could
else have every moment over before it is looked at. aiortc takes a timestamp that jumps back for one
that wrapped around, and gives 13 hours."""


class MediaClock:
    """The time of frames: seconds since the first, by their timestamps, never standing or back."""

    def __init__(self) -> None:
        self._pts: float | None = None
        self._began: float | None = None
        self._arrival = 0.0
        self._time = 0.0

    def time(self, pts: float | None, arrival: float) -> float:
        """Place a frame: `pts` by the sender's clock, `arrival` by ours, both in seconds.

        A step that cannot be (none, back, ahead of us) is replaced by the time between arrivals.
        """
        if self._began is None:
            self._began = self._arrival = arrival
            self._pts = pts
            return self._time
        passed = max(arrival - self._arrival, MIN_STEP)
        step = pts - self._pts if pts is not None and self._pts is not None else passed
        most = arrival - self._began + MAX_LEAP - self._time
        if not MIN_STEP <= step <= most:
            step = passed
        self._pts, self._arrival = pts, arrival
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


class VideoTransformTrack(MediaStreamTrack):
    """A video track that measures what passes through it.

    Frames are decoded and then measured by `analyser` in `threads`, away from the event loop, and
    come out of `observations` in order. When there is too little time, those that have waited
    longest are decoded and not measured. `recv` hands each frame on as it came, whether or not it
    was measured. Video of more than `MOST_PIXELS` is not taken.
    """

    kind = "video"

    def __init__(self, analyser: Analyser, threads: DecodingThreads) -> None:
        super().__init__()
        self.counters = Counters()
        self.frame: av.VideoFrame | None = None
        """What the newest observation was made of."""
        self.arrival = 0.0
        """When that came, seconds of `time.monotonic`."""
        self.too_large: tuple[int, int] | None = None
        """Width and height of a picture that is: nothing is measured any more."""
        self.lane = Lane(threads, self)
        """Where encoded frames go in."""
        self._analyser = analyser
        self._event_loop = asyncio.get_running_loop()
        self._clock = MediaClock()
        self._measured: deque[tuple[av.VideoFrame, float, Observation]] = deque()
        self._passed: deque[av.VideoFrame] = deque(maxlen=MAX_PASSED)
        self._error: Exception | None = None
        self._arrived = asyncio.Event()
        self._passing = asyncio.Event()
        self._over = asyncio.Event()

    @classmethod
    def of(
        cls, receiver: RTCRtpReceiver, analyser: Analyser, threads: DecodingThreads
    ) -> "VideoTransformTrack":
        """Measure what a peer sends to `receiver`, which has not begun to receive."""
        track = cls(analyser, threads)
        track.lane.let_go = jitter.install(receiver).break_off
        divert(receiver, track.lane)
        return track

    async def observations(self) -> AsyncIterator[Observation]:
        """Give what each frame shows until the peer's track ends, or is `too_large`.

        Raises what went wrong in measuring.
        """
        while self.too_large is None:
            if self._measured:
                self.frame, self.arrival, observation = self._measured.popleft()
                yield observation
            elif self._error is not None:
                raise self._error
            elif self.readyState == "ended":
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def recv(self) -> av.VideoFrame:
        """Pass the next frame on; raises `MediaStreamError` at the end."""
        while not self._passed:
            if self.readyState == "ended":
                raise MediaStreamError
            self._passing.clear()
            await self._passing.wait()
        return self._passed.popleft()

    def stop(self) -> None:
        """End the track; what waits is let go."""
        super().stop()
        self.lane.close()
        self._measured.clear()
        self._passed.clear()
        self.frame = None
        self._wake()

    async def closed(self) -> None:
        """Wait until nothing of this track, once stopped, is done any more."""
        await self._over.wait()

    # The next three are called in a thread of `threads`.

    def take(self, frame: av.VideoFrame, arrival: float) -> None:
        """Measure a frame that came at `arrival`, unless that is too long ago."""
        if not self._fits(frame):
            return
        moment = self._clock.time(frame.time, arrival)
        self.counters.received += 1
        self.counters.arrival = arrival
        late = time.monotonic() - arrival > MAX_WAIT or len(self._measured) >= MAX_MEASURED
        observation = None if late else self._measure(frame, moment)
        self.counters.dropped += late
        self._event_loop.call_soon_threadsafe(self._taken, frame, arrival, observation)

    def skip(self, frames: int) -> None:
        """Count frames that came too fast to be decoded."""
        self.counters.received += frames
        self.counters.dropped += frames

    def end(self, error: Exception | None) -> None:
        """Hear that no further frame comes."""
        self._event_loop.call_soon_threadsafe(self._ended, error)

    def _fits(self, frame: av.VideoFrame) -> bool:
        """Whether this frame, and each before it, is small enough."""
        if self.too_large is None and frame.width * frame.height > MOST_PIXELS:
            self.too_large = frame.width, frame.height
            self._event_loop.call_soon_threadsafe(self._wake)
        return self.too_large is None

    def _measure(self, frame: av.VideoFrame, moment: float) -> Observation:
        started = time.perf_counter()
        observation = self._analyser.analyse(Luma.of(frame), moment)
        self.counters.measuring += time.perf_counter() - started
        self.counters.measured += 1
        return observation

    # Back on the event loop.

    def _taken(self, frame: av.VideoFrame, arrival: float, observation: Observation | None) -> None:
        if self.readyState == "ended":
            return
        self._passed.append(frame)
        if observation is not None:
            self._measured.append((frame, arrival, observation))
        self._wake()

    def _ended(self, error: Exception | None) -> None:
        self._error = error
        super().stop()
        self._over.set()
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._passing.set()
