import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import cast

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from liveness.rtc.track import MAX_LEAP, MAX_PASSED, MediaClock, VideoTransformTrack
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.observation import Observation

BEHIND = 0.15
"""Seconds that a state may be behind the video."""


class Camera(MediaStreamTrack):
    """Sends `frames` at `rate`, then ends."""

    kind = "video"

    def __init__(self, frames: int, rate: float) -> None:
        super().__init__()
        self.sent: dict[int, float] = {}
        self._frames, self.rate = frames, rate
        self._start = time.monotonic()
        self._plane = np.zeros((72, 64), np.uint8)

    async def recv(self) -> av.VideoFrame:
        number = len(self.sent)
        if number == self._frames:
            raise MediaStreamError
        await asyncio.sleep(self._start + number / self.rate - time.monotonic())
        frame = av.VideoFrame.from_ndarray(self._plane, format="yuv420p")
        frame.pts, frame.time_base = round(number * 90000 / self.rate), Fraction(1, 90000)
        self.sent[number] = time.monotonic()
        return frame


class Slow:
    """An analyser that takes `seconds` for a frame, and tells when two are measured at a time."""

    def __init__(self, seconds: float) -> None:
        self.busy = threading.Lock()
        self.threads: set[int] = set()
        self._seconds = seconds
        self._frames = 0

    def analyse(self, _luma: Luma, time_: float) -> Observation:
        assert self.busy.acquire(blocking=False)
        self.threads.add(threading.get_ident())
        time.sleep(self._seconds)
        self.busy.release()
        self._frames += 1
        return Observation(self._frames - 1, time_, 0, None)


def as_analyser(slow: Slow) -> Analyser:
    return cast(Analyser, slow)  # noqa: TC006 - it has what the track uses of one


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


async def transform(
    camera: Camera, slow: Slow, executor: ThreadPoolExecutor
) -> tuple[VideoTransformTrack, list[Observation], list[float]]:
    """Measure to the end; returns what came out, and how long after the frame it did."""
    track = VideoTransformTrack(camera, as_analyser(slow), executor)
    observations, lags = [], []
    async for observation in track.observations():
        observations.append(observation)
        number = round(observation.time * camera.rate)
        lags.append(time.monotonic() - camera.sent[number])
    await track.closed()
    return track, observations, lags


async def test_every_frame_is_measured_while_there_is_time(executor: ThreadPoolExecutor) -> None:
    camera, slow = Camera(60, 30), Slow(0.005)
    track, observations, lags = await transform(camera, slow, executor)
    assert [each.frame for each in observations] == list(range(60))
    assert track.counters.received == track.counters.measured == 60
    assert track.counters.dropped == 0
    assert [each.time for each in observations] == pytest.approx([n / 30 for n in range(60)])
    assert max(lags) < BEHIND
    assert threading.get_ident() not in slow.threads


async def test_the_oldest_are_dropped_when_there_is_not(executor: ThreadPoolExecutor) -> None:
    camera = Camera(90, 60)
    track, observations, lags = await transform(camera, Slow(0.04), executor)
    counters = track.counters
    assert counters.received == 90
    assert counters.dropped > 30
    assert counters.measured == len(observations) == 90 - counters.dropped
    assert max(lags) < BEHIND
    times = [each.time for each in observations]
    assert times == sorted(set(times))


async def test_frames_are_passed_on(executor: ThreadPoolExecutor) -> None:
    camera = Camera(30, 100)
    track = VideoTransformTrack(camera, as_analyser(Slow(0.0)), executor)

    async def echo() -> AsyncIterator[int | None]:
        while True:
            try:
                yield (await track.recv()).pts
            except MediaStreamError:
                return

    async def measure() -> int:
        return len([each async for each in track.observations()])

    measuring = asyncio.create_task(measure())
    assert [pts async for pts in echo()] == [number * 900 for number in range(30)]
    assert await measuring == 30
    await track.closed()


async def test_nothing_piles_up_when_nobody_reads(executor: ThreadPoolExecutor) -> None:
    track, _, _ = await transform(Camera(30, 100), Slow(0.0), executor)
    for _ in range(MAX_PASSED):
        await track.recv()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_stopping_ends_everything(executor: ThreadPoolExecutor) -> None:
    camera = Camera(1000, 30)
    track = VideoTransformTrack(camera, as_analyser(Slow(0.0)), executor)
    stopped = asyncio.get_running_loop().call_later(0.2, track.stop)
    async with asyncio.timeout(2):
        assert [each async for each in track.observations()]
    stopped.cancel()
    await track.closed()
    assert camera.readyState == track.readyState == "ended"
    with pytest.raises(MediaStreamError):
        await track.recv()


def test_time_survives_timestamps_that_cannot_be() -> None:
    clock = MediaClock()
    arrivals = [100 + number / 30 for number in range(6)]
    wrapped = 47721.0  # what aiortc makes of a timestamp that goes back
    stamps = [0.0, 1 / 30, None, 3 / 30, 3 / 30, wrapped]
    times = [clock.time(stamp, at) for stamp, at in zip(stamps, arrivals, strict=True)]
    assert times == pytest.approx([number / 30 for number in range(6)])


def test_time_follows_the_sender_and_not_the_network() -> None:
    clock = MediaClock()
    sent = [0.0, 1 / 30, 2 / 30, 2 / 30 + MAX_LEAP / 2]
    arrivals = [5.0, 5.3, 5.3, 5.31]
    assert [clock.time(stamp, at) for stamp, at in zip(sent, arrivals, strict=True)] == sent
