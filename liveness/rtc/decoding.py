"""The threads that decode and measure video, which all sessions use in turn.

aiortc decodes in a thread for each peer, and posts every frame to the event loop as a task of its
own, from where it would have to go to another thread to be measured. Here a frame is decoded and
measured in one go, by no more threads than there are cores: fewer threads wake each other, and
wait for Python's lock.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

import av
import structlog
from aiortc import RTCRtpReceiver, rtcrtpreceiver
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from liveness.rtc.jitter import Frames
from liveness.stopwatch import Took, timed, unheard

MAX_WAITING = 60
"""Encoded frames of one peer that may wait, two seconds: when more do, all are let go, and the
sender is asked for a key frame."""

# Where aiortc keeps the queue to its decoder: there is no public way to stand in its place.
_QUEUE = "_RTCRtpReceiver__decoder_queue"

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Where the frames of one peer go; called in a thread, one call at a time."""

    def take(self, frame: av.VideoFrame, arrival: float) -> None:
        """Take a decoded frame that came at `arrival`, seconds of `time.monotonic`."""

    def skip(self, frames: int) -> None:
        """Hear of frames that were not even decoded."""

    def end(self, error: Exception | None) -> None:
        """Hear that this was the last call, and whether something went wrong."""


class DecodingThreads:
    """Serves the lanes that have work in turn, a frame at a time, so that none starves."""

    def __init__(self, threads: int, warm: Callable[[], object], took: Took = unheard) -> None:
        """Start so many threads; each calls `warm` first. Raises what that raises."""
        self.took = took
        self._failure: Exception | None = None
        self._work: SimpleQueue[Lane | None] = SimpleQueue()
        self._ready = threading.Barrier(threads + 1)
        self._threads = [
            threading.Thread(target=self._run, args=(warm,), name=f"decode-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.close()
            raise self._failure

    def schedule(self, lane: "Lane") -> None:
        """Give a lane its turn, after those that have asked before."""
        self._work.put(lane)

    def close(self) -> None:
        """End the threads; every lane has to be closed before."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, warm: Callable[[], object]) -> None:
        try:
            warm()
        except Exception as error:  # noqa: BLE001 - raised again where the threads are begun
            self._failure = error
        finally:
            self._ready.wait()
        while (lane := self._work.get()) is not None:
            lane.step()


@dataclass(frozen=True, slots=True)
class _Encoded:
    codec: RTCRtpCodecParameters
    frame: JitterFrame
    arrival: float


class Lane:
    """The encoded frames of one peer, in order: stands where aiortc has a queue to its decoder."""

    def __init__(self, threads: DecodingThreads, sink: Sink) -> None:
        self.damaged = threading.Event()
        """Set to have aiortc ask the sender for a key frame."""
        self.let_go: Callable[[], None] = lambda: None
        """Called when frames were: what follows cannot be decoded before a key frame."""
        self._threads = threads
        self._sink = sink
        self._waiting: deque[_Encoded | None] = deque()  # None: the end
        self._lock = threading.Lock()
        self._scheduled = False
        self._ending = False
        self._codec = ""
        self._decoder: Any = None
        self._failures = 0

    @property
    def waiting(self) -> int:
        """Frames that have not been decoded."""
        return len(self._waiting)

    def put(self, task: tuple[RTCRtpCodecParameters, JitterFrame] | None) -> None:
        """Take an encoded frame or, once there will be no more, None."""
        with self._lock:
            if task is None:
                self._finish()
            if task is None or self._ending:
                return
            codec, frame = task
            if len(self._waiting) >= MAX_WAITING:
                self._sink.skip(len(self._waiting) + 1)
                self._waiting.clear()
                self.damaged.set()
                self.let_go()
                return
            arrival = time.monotonic()
            self._waiting.extend(_Encoded(codec, each, arrival) for each in _each(frame))
            self._schedule()

    def close(self) -> None:
        """Let go what waits; the sink hears of the end when the frame under way is done."""
        with self._lock:
            if not self._ending:
                self._waiting.clear()
            self._finish()

    def step(self) -> None:
        """Decode the next frame and have it taken; called by the threads."""
        with self._lock:
            if not self._waiting:  # they were let go before their turn came
                self._scheduled = False
                return
            encoded = self._waiting.popleft()
        if encoded is None:
            self._decoder = None
            self._sink.end(None)
            return
        try:
            for frame in self._decode(encoded):
                self._sink.take(frame, encoded.arrival)
        except Exception as error:  # noqa: BLE001 - told to the session, which tells the log
            self._decoder = None
            with self._lock:
                self._ending = True
            self._sink.end(error)
            return
        with self._lock:
            self._scheduled = False
            if self._waiting:
                self._schedule()

    def _finish(self) -> None:
        if not self._ending:
            self._ending = True
            self._waiting.append(None)
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._threads.schedule(self)

    def _decode(self, encoded: _Encoded) -> list[Any]:
        if self._decoder is None or encoded.codec.name != self._codec:
            self._codec, self._decoder = encoded.codec.name, get_decoder(encoded.codec)
        try:
            with timed(self._threads.took, "decode"):
                return list(self._decoder.decode(encoded.frame))
        except av.FFmpegError as error:
            # The decoder stays as it is: a new one could decode nothing before a key frame.
            self.damaged.set()
            self._failures += 1
            if self._failures == 1:
                log.info("frame not decoded", codec=self._codec, error=str(error))
            return []


def _each(frame: JitterFrame) -> list[JitterFrame]:
    """Part frames that came together; aiortc has given the first one its place in time."""
    later = frame.later if isinstance(frame, Frames) else []
    return [frame, *(JitterFrame(data, frame.timestamp + ticks) for ticks, data in later)]


def divert(receiver: RTCRtpReceiver, lane: Lane) -> None:
    """Send what `receiver` receives to `lane`; before it receives anything."""
    if not hasattr(receiver, _QUEUE):
        raise RuntimeError("this version of aiortc keeps its encoded frames elsewhere")
    setattr(receiver, _QUEUE, lane)


_decode_in_this_thread = rtcrtpreceiver.decoder_worker


def _decode(
    loop: asyncio.AbstractEventLoop, input_q: Any, output_q: Any, decode_error: threading.Event
) -> None:
    """Stand in for the function that aiortc runs in a thread for each receiver."""
    if isinstance(input_q, Lane):
        input_q.damaged = decode_error  # and the thread is over: others do the work
    else:
        _decode_in_this_thread(loop, input_q, output_q, decode_error)


rtcrtpreceiver.decoder_worker = _decode
