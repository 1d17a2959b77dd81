"""A source as the video track of a peer, at real time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from liveness.testing.raster import Picture
from liveness.testing.source import Source

CLOCK_RATE = 90_000
"""Ticks a second of RTP video (RFC 3551)."""


class SourceTrack(MediaStreamTrack):
    """Shows `source` at `fps`. Pictures are drawn in a thread of the track's own.

    When it is late it skips frames, as a camera does, and counts them: `sent`, `skipped`.
    A source that raises ends the track; what it raised is kept as `error`.
    """

    kind = "video"

    def __init__(self, source: Source, fps: float = 30.0) -> None:
        super().__init__()
        self.sent = 0
        self.skipped = 0
        self.error: Exception | None = None
        self._source = source
        self._fps = fps
        self._start: float | None = None
        self._index = -1
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="source")

    async def recv(self) -> av.VideoFrame:
        """Wait for the moment of the next frame; raises `MediaStreamError` at the scene's end."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._index = await self._next_index(loop)
        time = self._index / self._fps
        try:
            frame = await loop.run_in_executor(self._thread, self._draw, time)
        except Exception as error:  # noqa: BLE001 - aiortc would only log it
            self.error, frame = error, None
        if frame is None:
            self.stop()
            raise MediaStreamError
        frame.pts = round(time * CLOCK_RATE)
        frame.time_base = Fraction(1, CLOCK_RATE)
        self.sent += 1
        return frame

    async def _next_index(self, loop: asyncio.AbstractEventLoop) -> int:
        """Wait for the next frame that is not in the past; return its index."""
        if self._start is None:
            self._start = loop.time()
        elapsed = loop.time() - self._start
        index = max(self._index + 1, int(elapsed * self._fps))
        self.skipped += index - self._index - 1
        await asyncio.sleep(max(0.0, index / self._fps - elapsed))
        return index

    def _draw(self, time: float) -> av.VideoFrame | None:
        picture = self._source.frame(time)
        if picture is None:
            return None
        return to_frame(picture)

    def stop(self) -> None:
        """End the track; its thread ends when the frame being drawn is done."""
        super().stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


def to_frame(picture: Picture) -> av.VideoFrame:
    """Make a yuv420p frame of a (height, width, 3) uint8 BGR picture."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:  # half of the chroma's last line would be missing
        return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    # Five times faster than libswscale's way there.
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")
