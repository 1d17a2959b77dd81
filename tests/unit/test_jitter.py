from itertools import pairwise
from random import Random

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from liveness.rtc.jitter import (
    ASK_AGAIN,
    MOST_PACKETS,
    PATIENCE,
    PersistentNack,
    VideoBuffer,
    install,
    is_key,
)

FRAME = 3000  # ticks
KEY = b"\x10\x02\x00\x9d\x01\x2a"  # how a key frame of VP8 begins
PATIENT = PATIENCE // FRAME  # frames


def frame(
    number: int, first: int, packets: int = 1, *, marked: bool = True, key: bool = False
) -> list[RtpPacket]:
    """The packets of one frame; each holds its own sequence number."""
    made = []
    for index in range(packets):
        sequence = (first + index) % 65536
        packet = RtpPacket(
            payload_type=96,
            sequence_number=sequence,
            timestamp=FRAME * number % (1 << 32),
            marker=int(marked and index == packets - 1),
        )
        data = KEY * (key and index == 0) + sequence.to_bytes(2)
        setattr(packet, "_data", data)  # noqa: B010 - as aiortc does
        made.append(packet)
    return made


def run(first: int, number: int) -> list[RtpPacket]:
    """So many frames of one packet each; the number of a frame is that of its packet."""
    return [packet for each in range(first, first + number) for packet in frame(each, each)]


def put(buffer: VideoBuffer, packets: list[RtpPacket]) -> list[tuple[int, bytes]]:
    out = []
    for packet in packets:
        frames = buffer.add(packet)[1]
        if frames is not None:
            out.append((frames.timestamp // FRAME, frames.data))
            out += [((frames.timestamp + ticks) // FRAME, data) for ticks, data in frames.later]
    return out


def numbers(out: list[tuple[int, bytes]]) -> list[int]:
    return [number for number, _ in out]


def test_a_frame_comes_out_with_its_last_packet() -> None:
    buffer = VideoBuffer()
    first = frame(0, 65534, 3)
    assert put(buffer, first[:2]) == []
    assert put(buffer, first[2:]) == [(0, b"\xff\xfe\xff\xff\x00\x00")]
    assert put(buffer, frame(1, 1, 1)) == [(1, b"\x00\x01")]


def test_without_a_mark_the_next_frame_tells() -> None:
    buffer = VideoBuffer()
    assert put(buffer, frame(0, 10, 2, marked=False)) == []
    assert put(buffer, frame(1, 12, 1, marked=False)) == [(0, b"\x00\x0a\x00\x0b")]


def test_a_mark_does_not_hide_a_gap() -> None:
    buffer = VideoBuffer()
    one, two, three = frame(0, 10, 3)
    assert put(buffer, [one, three]) == []
    assert put(buffer, [two]) == [(0, b"\x00\x0a\x00\x0b\x00\x0c")]


def test_all_that_waited_for_a_packet_comes_with_it() -> None:
    buffer = VideoBuffer()
    packets = run(0, PATIENT)
    assert numbers(put(buffer, [packets[0], *packets[2:]])) == [0]
    assert numbers(put(buffer, [packets[1]])) == list(range(1, PATIENT))
    assert put(buffer, packets) == [], "what came before counts for nothing"


def test_padding_is_no_frame() -> None:
    buffer = VideoBuffer()
    padding = frame(0, 1, marked=False)
    setattr(padding[0], "_data", b"")  # noqa: B010 - as aiortc does
    assert numbers(put(buffer, [*frame(0, 0), *padding, *frame(1, 2), *frame(2, 3)])) == [0, 1, 2]


def test_what_does_not_come_is_given_up_for_a_key_frame() -> None:
    buffer = VideoBuffer()
    assert numbers(put(buffer, run(0, 3))) == [0, 1, 2]
    waited = [buffer.add(packet) for packet in run(4, 4 * PATIENT)]
    asked = [number for number, (needs_key, _) in enumerate(waited) if needs_key]
    assert asked[0] == PATIENT - 1
    assert {after - before for before, after in pairwise(asked)} == {PATIENT + 1}, (
        "again and again: such a request gets lost as well"
    )
    assert not any(frames for _, frames in waited), "they refer to what was never decoded"
    assert put(buffer, frame(3, 3)) == []
    at = 4 + 4 * PATIENT
    assert numbers(put(buffer, [*frame(at, at, key=True), *run(at + 1, 2)])) == [at, at + 1, at + 2]


def test_a_key_frame_is_not_held_up_by_what_was_lost_before() -> None:
    buffer = VideoBuffer()
    put(buffer, run(0, 3))
    put(buffer, run(4, PATIENT + 1))
    first, second = frame(PATIENT + 8, 99, 2, key=True)
    assert put(buffer, [second]) == []
    assert put(buffer, [first, *frame(PATIENT + 9, 101)]) == [
        (PATIENT + 8, KEY + b"\x00\x63\x00\x64"),
        (PATIENT + 9, b"\x00\x65"),
    ]


def test_after_a_gap_of_seconds_the_next_key_frame_is_at_once_asked_for() -> None:
    buffer = VideoBuffer()
    put(buffer, run(0, 3))
    assert buffer.add(frame(63, 363)[0]) == (True, None)
    assert numbers(put(buffer, frame(64, 364, 2, key=True))) == [64]


def test_a_sender_that_pauses_has_lost_nothing() -> None:
    buffer = VideoBuffer()
    put(buffer, run(0, 3))
    first, second = frame(300, 3, 2)
    assert buffer.add(first) == (False, None)
    assert numbers(put(buffer, [second])) == [300]


def test_a_sender_may_begin_anew() -> None:
    buffer = VideoBuffer()
    put(buffer, run(5000, 3))
    assert buffer.add(frame(9000, 10, key=True)[0])[0]
    assert numbers(put(buffer, frame(9001, 11))) == [9001]


def test_little_is_kept() -> None:
    buffer = VideoBuffer()
    put(buffer, run(0, 1))
    asked = [buffer.add(frame(1, 2 + each, marked=False)[0])[0] for each in range(3 * MOST_PACKETS)]
    assert sum(asked) == 2


def test_a_missing_packet_is_asked_for_until_it_is_of_no_use() -> None:
    buffer = VideoBuffer()
    nack = PersistentNack(buffer)
    asked = []
    for packet in [*run(0, 3), *run(4, PATIENT + 5)]:
        if nack.add(packet):
            assert nack.missing == {3}
            asked.append(packet.timestamp // FRAME)
        buffer.add(packet)
    assert asked == list(range(4, 3 + PATIENT, ASK_AGAIN // FRAME + 1))
    assert nack.missing == set()


def test_nothing_is_asked_for_that_came_late_or_is_too_much() -> None:
    buffer = VideoBuffer()
    nack = PersistentNack(buffer)

    def asks(packet: RtpPacket) -> bool:
        asked = nack.add(packet)
        buffer.add(packet)
        return asked

    zero, one, two = run(0, 3)
    assert [asks(each) for each in (zero, two, one, *run(3, 20))] == [False, True] + [False] * 21
    assert not asks(frame(83, 500)[0]), "a key frame is asked for"


def test_key_frames_are_told() -> None:
    assert is_key(KEY)
    assert not is_key(b"\x11" + KEY[1:])
    assert not is_key(b"")
    for nals, key in (
        ((b"\x67\x42", b"\x68\xce", b"\x65\x88"), True),
        ((b"\x09\xf0", b"\x65\x88"), True),
        ((b"\x65\x08",), False),  # not from its first macroblock on
        ((b"\x41\x9a",), False),
    ):
        assert is_key(b"".join(b"\x00\x00\x00\x01" + nal for nal in nals)) is key


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    start=st.integers(0, 65535),
    time=st.sampled_from([0, (1 << 32) // FRAME - 3]),
    random=st.randoms(use_true_random=False),
)
def test_frames_are_whole_and_in_order_however_packets_come(
    sizes: list[int], start: int, time: int, random: Random
) -> None:
    packets, expected, at = [], [], start
    for number, size in enumerate(sizes, time):
        made = frame(number, at, size)
        packets += made
        data = b"".join(each.sequence_number.to_bytes(2) for each in made)
        expected.append((made[0].timestamp, data))
        at += size
    # Displaced by a few places and some sent twice, as a network does; the first is the first.
    rest = packets[1:] + random.sample(packets, len(packets) // 2)
    rest = [rest[i] for i in sorted(range(len(rest)), key=lambda i: i + random.uniform(0, 4))]
    buffer = VideoBuffer()
    out = []
    for packet in [packets[0], *rest]:
        needs_key, frames = buffer.add(packet)
        assert not needs_key
        if frames is not None:
            out.append((frames.timestamp, frames.data))
            out += [((frames.timestamp + t) % (1 << 32), data) for t, data in frames.later]
    assert out == expected


@given(
    lost=st.sets(st.integers(1, 200), max_size=30),
    requests_lost=st.integers(0, 5),
)
def test_after_losses_nothing_comes_but_what_can_be_decoded(
    lost: set[int], requests_lost: int
) -> None:
    """A decoder that counts: a frame follows the one before, or is a key frame."""
    buffer = VideoBuffer()
    newest, asked = 0, False
    for number in range(400):
        packet = frame(number, number, key=asked or number == 0)[0]
        asked = False
        if number in lost:
            continue
        asked, frames = buffer.add(packet)
        if asked and requests_lost:
            asked, requests_lost = False, requests_lost - 1
        for data in [] if frames is None else [frames.data, *(data for _, data in frames.later)]:
            this = int.from_bytes(data[-2:])
            assert this == newest + 1 or data.startswith(KEY)
            newest = this
    assert newest == 399


async def test_a_receiver_has_the_place_that_is_taken() -> None:
    """If aiortc keeps its buffer elsewhere, this has to be heard of."""
    peer = RTCPeerConnection()
    install(peer.addTransceiver("video", direction="recvonly").receiver)
    with pytest.raises(RuntimeError, match="elsewhere"):
        install(object())  # type: ignore[arg-type]
    await peer.close()
