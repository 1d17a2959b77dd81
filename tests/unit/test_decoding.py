import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import av
import pytest
from aiortc import RTCPeerConnection, RTCRtpCodecParameters
from aiortc.jitterbuffer import JitterFrame

from liveness.rtc.decoding import MAX_WAITING, DecodingThreads, Lane, divert
from liveness.rtc.jitter import Frames
from tests.integration.test_track import VP8, encode

SECONDS = 5.0


class Taken:
    """Keeps what it is given; `each` is called with every frame."""

    def __init__(self, each: Callable[[], object] = lambda: None) -> None:
        self.frames: list[int] = []
        self.skipped = 0
        self.errors: list[Exception | None] = []
        self.ended = threading.Event()
        self._each = each

    def take(self, frame: av.VideoFrame, arrival: float) -> None:
        assert not self.ended.is_set()
        assert arrival <= time.monotonic()
        self.frames.append(frame.pts or 0)
        self._each()

    def skip(self, frames: int) -> None:
        self.skipped += frames

    def end(self, error: Exception | None) -> None:
        self.errors.append(error)
        self.ended.set()


@pytest.fixture
def thread() -> Iterator[DecodingThreads]:
    """One, so that lanes have to share it."""
    threads = DecodingThreads(1, lambda: None)
    yield threads
    threads.close()


def put(lane: Lane, number: int, data: bytes, codec: RTCRtpCodecParameters = VP8) -> None:
    lane.put((codec, JitterFrame(data, number)))


def test_frames_come_out_in_order_and_then_the_end(thread: DecodingThreads) -> None:
    taken = Taken()
    lane = Lane(thread, taken)
    for number, data in enumerate(encode(20, 64, 48)):
        put(lane, number, data)
    lane.put(None)
    lane.put(None)
    put(lane, 99, b"after the end")
    assert taken.ended.wait(SECONDS)
    assert taken.frames == list(range(20))
    assert taken.errors == [None]


def test_threads_that_cannot_measure_are_not_begun() -> None:
    def warm() -> None:
        raise ValueError("nothing to measure with")

    before = threading.active_count()
    with pytest.raises(ValueError, match="nothing to measure with"):
        DecodingThreads(2, warm)
    assert threading.active_count() == before


def test_lanes_take_turns(thread: DecodingThreads) -> None:
    order: list[str] = []
    begin = threading.Event()
    blocked = Taken(begin.wait)
    first = Lane(thread, blocked)
    put(first, 0, encode(1, 64, 48)[0])
    many, few = Taken(lambda: order.append("many")), Taken(lambda: order.append("few"))
    lanes = Lane(thread, many), Lane(thread, few)
    for number, data in enumerate(encode(20, 64, 48)):
        put(lanes[0], number, data)
        if number < 5:
            put(lanes[1], number, data)
    begin.set()
    for lane in (first, *lanes):
        lane.put(None)
    assert many.ended.wait(SECONDS)
    assert few.ended.wait(SECONDS)
    assert order[:10] == ["many", "few"] * 5


def test_what_comes_too_fast_is_let_go_up_to_a_key_frame(thread: DecodingThreads) -> None:
    begin = threading.Event()
    taken = Taken(begin.wait)
    lane = Lane(thread, taken)
    told: list[bool] = []
    lane.let_go = lambda: told.append(True)
    pictures = encode(MAX_WAITING + 5, 64, 48)
    put(lane, 0, pictures[0])
    while lane.waiting:
        time.sleep(0.001)
    for number, data in enumerate(pictures[1:], 1):
        put(lane, number, data)
        assert lane.waiting <= MAX_WAITING
    assert taken.skipped == MAX_WAITING + 1
    assert told == [True], "what refers to them does not come"
    assert lane.damaged.is_set(), "the sender is asked for one"
    begin.set()
    lane.put(None)
    assert taken.ended.wait(SECONDS)


def test_what_is_let_go_before_its_turn_holds_up_nobody(thread: DecodingThreads) -> None:
    begin = threading.Event()
    blocked, taken = Taken(begin.wait), Taken()
    first, lane = Lane(thread, blocked), Lane(thread, taken)
    key, *others = encode(MAX_WAITING + 1, 64, 48)
    put(first, 0, key)
    while not blocked.frames:
        time.sleep(0.001)
    for number, data in enumerate([key, *others]):
        put(lane, number, data)
    assert (lane.waiting, taken.skipped) == (0, MAX_WAITING + 1)
    begin.set()
    put(first, 1, others[0])
    first.put(None)
    assert blocked.ended.wait(SECONDS)
    put(lane, 99, key)
    lane.put(None)
    assert taken.ended.wait(SECONDS)
    assert taken.frames == [99]


def test_frames_that_come_together_are_parted(thread: DecodingThreads) -> None:
    taken = Taken()
    lane = Lane(thread, taken)
    first, *others = encode(4, 64, 48)
    frames = Frames(first, 7)
    frames.later = [(3000 * number, data) for number, data in enumerate(others, 1)]
    lane.put((VP8, frames))
    lane.put(None)
    assert taken.ended.wait(SECONDS)
    assert taken.frames == [7, 3007, 6007, 9007]


def test_noise_is_no_end(thread: DecodingThreads) -> None:
    taken = Taken()
    lane = Lane(thread, taken)
    first, second = encode(2, 64, 48)
    put(lane, 0, first)
    put(lane, 1, b"\x00noise")
    put(lane, 2, second)
    lane.put(None)
    assert taken.ended.wait(SECONDS)
    assert taken.frames == [0, 2]
    assert taken.errors == [None]
    assert lane.damaged.is_set()


def test_what_goes_wrong_is_told_once_and_others_go_on(thread: DecodingThreads) -> None:
    def fail() -> None:
        raise ValueError("it failed")

    broken, whole = Taken(fail), Taken()
    lanes = Lane(thread, broken), Lane(thread, whole)
    for number, data in enumerate(encode(3, 64, 48)):
        for lane in lanes:
            put(lane, number, data)
    for lane in lanes:
        lane.put(None)
    assert broken.ended.wait(SECONDS)
    assert whole.ended.wait(SECONDS)
    assert [str(error) for error in broken.errors] == ["it failed"]
    assert broken.frames == [0]
    assert whole.frames == [0, 1, 2]


def test_a_closed_lane_ends_after_the_frame_under_way(thread: DecodingThreads) -> None:
    begin = threading.Event()
    taken = Taken(begin.wait)
    lane = Lane(thread, taken)
    for number, data in enumerate(encode(5, 64, 48)):
        put(lane, number, data)
    while not taken.frames:
        time.sleep(0.001)
    lane.close()
    assert not taken.ended.is_set()
    begin.set()
    assert taken.ended.wait(SECONDS)
    assert taken.frames == [0]
    assert taken.errors == [None]


def test_an_unused_lane_ends_too(thread: DecodingThreads) -> None:
    taken = Taken()
    lane = Lane(thread, taken)
    lane.close()
    lane.close()
    assert taken.ended.wait(SECONDS)
    assert taken.errors == [None]


async def test_a_receiver_has_the_place_that_is_taken(thread: DecodingThreads) -> None:
    """If aiortc keeps its frames elsewhere, this has to be heard of."""
    peer = RTCPeerConnection()
    receiver = peer.addTransceiver("video", direction="recvonly").receiver
    lane = Lane(thread, Taken())
    divert(receiver, lane)
    with pytest.raises(RuntimeError, match="elsewhere"):
        divert(object(), lane)  # type: ignore[arg-type]
    lane.close()
    await asyncio.wait_for(peer.close(), SECONDS)
