import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import cast

import av
import numpy as np
import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError

from liveness.rtc.decoding import DecodingThreads, Lane
from liveness.rtc.track import MAX_LEAP, MAX_PASSED, MOST_PIXELS, MediaClock, VideoTransformTrack
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.observation import Observation
from tests.integration.plain import Picture, Plain, create, post, reach, serving
from tests.people import BLANK

BEHIND = 0.2
"""Seconds that a state may be behind the video, where others use the machine as well."""

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=96)


class Camera:
    """Puts `frames` encoded pictures of `width` x `height` into a lane at `rate`, then ends."""

    def __init__(self, frames: int, rate: float, width: int = 64, height: int = 48) -> None:
        self.sent: dict[int, float] = {}
        self.rate = rate
        self._pictures = encode(frames, width, height)

    async def send(self, lane: Lane) -> None:
        start = time.monotonic()
        for number, data in enumerate(self._pictures):
            await asyncio.sleep(start + number / self.rate - time.monotonic())
            self.sent[number] = time.monotonic()
            lane.put((VP8, JitterFrame(data, round(number * 90000 / self.rate))))
        lane.put(None)


@cache
def encode(frames: int, width: int, height: int) -> list[bytes]:
    """Encode a grey picture so many times."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    packets = []
    for number in range(frames):
        plane = np.full((height * 3 // 2, width), 100 + number % 50, np.uint8)
        frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
        frame.pts = number
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


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
        return Observation(self._frames - 1, time_, 0, None, BLANK)


def as_analyser(slow: Slow) -> Analyser:
    return cast(Analyser, slow)  # noqa: TC006 - it has what the track uses of one


@pytest.fixture
def threads() -> Iterator[DecodingThreads]:
    threads = DecodingThreads(2, lambda: None)
    yield threads
    threads.close()


async def transform(
    camera: Camera, slow: Slow, threads: DecodingThreads
) -> tuple[VideoTransformTrack, list[Observation], list[float]]:
    """Measure to the end; returns what came out, and how long after the frame it did."""
    track = VideoTransformTrack(as_analyser(slow), threads)
    sending = asyncio.create_task(camera.send(track.lane))
    observations, lags = [], []
    async for observation in track.observations():
        observations.append(observation)
        number = round(observation.time * camera.rate)
        lags.append(time.monotonic() - camera.sent[number])
    await sending
    await track.closed()
    return track, observations, lags


async def test_every_frame_is_measured_while_there_is_time(threads: DecodingThreads) -> None:
    camera, slow = Camera(60, 30), Slow(0.005)
    track, observations, lags = await transform(camera, slow, threads)
    assert [each.frame for each in observations] == list(range(60))
    assert track.counters.received == track.counters.measured == 60
    assert track.counters.dropped == 0
    assert [each.time for each in observations] == pytest.approx([n / 30 for n in range(60)])
    assert max(lags) < BEHIND
    assert threading.get_ident() not in slow.threads


async def test_the_oldest_are_dropped_when_there_is_not(threads: DecodingThreads) -> None:
    camera = Camera(90, 60)
    track, observations, lags = await transform(camera, Slow(0.04), threads)
    counters = track.counters
    assert counters.received == 90
    assert counters.dropped > 30
    assert counters.measured == len(observations) == 90 - counters.dropped
    assert max(lags) < BEHIND
    times = [each.time for each in observations]
    assert times == sorted(set(times))


async def test_frames_are_passed_on(threads: DecodingThreads) -> None:
    camera = Camera(30, 100)
    track = VideoTransformTrack(as_analyser(Slow(0.0)), threads)
    sending = asyncio.create_task(camera.send(track.lane))

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
    await sending
    await track.closed()


async def test_nothing_piles_up_when_nobody_reads(threads: DecodingThreads) -> None:
    track, _, _ = await transform(Camera(30, 100), Slow(0.0), threads)
    for _ in range(MAX_PASSED):
        await track.recv()
    with pytest.raises(MediaStreamError):
        await track.recv()


@pytest.mark.parametrize("size", [(2560, 1440), (1440, 2560), (1920, 1920)])
async def test_large_pictures_are_measured(size: tuple[int, int], threads: DecodingThreads) -> None:
    assert size[0] * size[1] <= MOST_PIXELS
    track, observations, _ = await transform(Camera(3, 30, *size), Slow(0.0), threads)
    assert len(observations) == 3
    assert track.too_large is None


async def test_larger_ones_are_not_and_nothing_of_them_is_kept(
    threads: DecodingThreads,
) -> None:
    camera = Camera(40, 100, 2562, 1440)
    track, observations, _ = await transform(camera, Slow(0.0), threads)
    assert observations == []
    assert track.too_large == (2562, 1440)
    assert track.counters.received == 0
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_stopping_ends_everything(threads: DecodingThreads) -> None:
    camera = Camera(90, 30)
    track = VideoTransformTrack(as_analyser(Slow(0.0)), threads)
    sending = asyncio.create_task(camera.send(track.lane))
    stopped = asyncio.get_running_loop().call_later(0.2, track.stop)
    async with asyncio.timeout(2):
        assert [each async for each in track.observations()]
    stopped.cancel()
    await track.closed()
    sending.cancel()
    assert track.readyState == "ended"
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_a_peer_is_told_that_its_video_is_too_large() -> None:
    async with serving() as client:
        session, peer = await create(client), Plain(picture=Picture(2576, 1456))
        response = await post(client, session, await peer.offer())
        await peer.accept(await response.text())
        shown = await reach(client, session, "finished")
        await asyncio.wait_for(peer.closed.wait(), 5)
        said = [json.loads(peer.messages.get_nowait()) for _ in range(peer.messages.qsize())]
        await peer.close()
    assert shown["verdict"]["verdict"] == "incomplete"
    assert shown["verdict"]["reasons"] == ["no_media"]
    assert [each["type"] for each in said] == ["error", "verdict"]
    assert said[0]["code"] == "video_too_large"
    assert "2576 x 1456" in said[0]["detail"]


def test_time_survives_timestamps_that_cannot_be() -> None:
    clock = MediaClock()
    arrivals = [100 + number / 30 for number in range(6)]
    wrapped = 47721.0  # what aiortc makes of a timestamp that goes back
    stamps = [0.0, 1 / 30, None, 3 / 30, 3 / 30, wrapped]
    times = [clock.time(stamp, at) for stamp, at in zip(stamps, arrivals, strict=True)]
    assert times == pytest.approx([number / 30 for number in range(6)])


def test_a_sender_cannot_be_far_ahead_of_the_clock() -> None:
    clock = MediaClock()
    times = [clock.time(number * 1.01, 7 + number / 30) for number in range(120)]
    ahead = [time - number / 30 for number, time in enumerate(times)]
    assert max(ahead) <= MAX_LEAP
    assert all(earlier < later for earlier, later in pairwise(times))


def test_time_follows_the_sender_and_not_the_network() -> None:
    clock = MediaClock()
    sent = [0.0, 1 / 30, 2 / 30, 2 / 30 + MAX_LEAP / 2]
    arrivals = [5.0, 5.3, 5.3, 5.31]
    assert [clock.time(stamp, at) for stamp, at in zip(sent, arrivals, strict=True)] == sent
