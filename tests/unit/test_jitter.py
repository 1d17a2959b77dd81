from random import Random

import pytest
from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from liveness.rtc.jitter import PromptJitterBuffer, install


def frame(number: int, first: int, packets: int, *, marked: bool = True) -> list[RtpPacket]:
    """The packets of one frame; each holds its own sequence number."""
    made = []
    for index in range(packets):
        sequence = (first + index) % 65536
        packet = RtpPacket(
            payload_type=96,
            sequence_number=sequence,
            timestamp=3000 * number,
            marker=int(marked and index == packets - 1),
        )
        setattr(packet, "_data", sequence.to_bytes(2))  # noqa: B010 - as aiortc does
        made.append(packet)
    return made


def put(buffer: JitterBuffer, packets: list[RtpPacket]) -> list[tuple[int, bytes]]:
    given_ = [buffer.add(packet)[1] for packet in packets]
    return [(each.timestamp // 3000, each.data) for each in given_ if each]


def test_a_frame_comes_out_with_its_last_packet() -> None:
    buffer = PromptJitterBuffer(128, is_video=True)
    first = frame(0, 65534, 3)
    assert put(buffer, first[:2]) == []
    assert put(buffer, first[2:]) == [(0, b"\xff\xfe\xff\xff\x00\x00")]
    assert put(buffer, frame(1, 1, 1)) == [(1, b"\x00\x01")]


def test_without_a_mark_the_next_frame_tells() -> None:
    buffer = PromptJitterBuffer(128, is_video=True)
    assert put(buffer, frame(0, 10, 2, marked=False)) == []
    assert put(buffer, frame(1, 12, 1, marked=False)) == [(0, b"\x00\x0a\x00\x0b")]


def test_a_mark_does_not_hide_a_gap() -> None:
    buffer = PromptJitterBuffer(128, is_video=True)
    one, two, three = frame(0, 10, 3)
    assert put(buffer, [one, three]) == []
    assert put(buffer, [two]) == [(0, b"\x00\x0a\x00\x0b\x00\x0c")]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    start=st.integers(0, 65535),
    random=st.randoms(use_true_random=False),
)
def test_frames_are_whole_and_in_order_however_packets_come(
    sizes: list[int], start: int, random: Random
) -> None:
    packets, at = [], start
    for number, size in enumerate(sizes):
        packets += frame(number, at, size)
        at += size
    first, rest = packets[0], packets[1:]
    # Displaced by a few places, as a network does.
    rest = [rest[i] for i in sorted(range(len(rest)), key=lambda i: i + random.uniform(0, 4))]
    buffer = PromptJitterBuffer(128, is_video=True)
    out = put(buffer, [first, *rest])
    ready = [number for number, _ in out]
    assert ready == sorted(set(ready))
    expected, at = [], start
    for number, size in enumerate(sizes):
        data = b"".join(((at + index) % 65536).to_bytes(2) for index in range(size))
        expected.append((number, data))
        at += size
    # What became whole with one packet waits for the next one, as there is one out for one in.
    assert out == expected[: len(out)]


async def test_a_receiver_has_the_place_that_is_taken() -> None:
    """If aiortc keeps its buffer elsewhere, this has to be heard of."""
    peer = RTCPeerConnection()
    install(peer.addTransceiver("video", direction="recvonly").receiver)
    with pytest.raises(RuntimeError, match="elsewhere"):
        install(object())  # type: ignore[arg-type]
    await peer.close()
