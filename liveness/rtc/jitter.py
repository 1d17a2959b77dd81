"""Frames out of packets that come late, out of order, twice, or never.

It differs from aiortc's jitter buffer in three ways. A frame goes at its last packet, which carries
a mark (RFC 7741 section 4.1 for VP8, RFC 6184 section 5.1 for H.264), and not at the first one of
the next: everything said about it would be a frame's time late. All frames that are whole go, not
one for each packet that comes: after a wait the video would stay behind for good. And a packet that
is missing is asked for again and again, but not waited for longer than it takes to ask for a key
frame: aiortc asks once and waits for 512 packets, up to several seconds of video.
"""

import re
from collections.abc import Iterator

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add, uint16_gt, uint32_add, uint32_gt

CLOCK_RATE = 90_000
"""Ticks a second of the timestamps of video (RFC 3551)."""

PATIENCE = round(0.5 * CLOCK_RATE)
"""Ticks of video that a missing packet may hold up: it comes a round trip after it was asked for,
and both ways may lose it once."""

ASK_AGAIN = round(0.1 * CLOCK_RATE)
"""Ticks of video after which what is still missing is asked for again: a round trip."""

MOST_PACKETS = 2048
"""Kept at most; `PATIENCE` of the largest video taken has a few hundred."""

MOST_LATE = 1000
"""Packets behind the one waited for: further behind is a sender that has begun anew."""

VP8_START_CODE = b"\x9d\x01\x2a"
SPS, IDR = 7, 5
_NAL = re.compile(rb"\x00\x00\x01(.)(.)", re.DOTALL)

_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_NACK = "_RTCRtpReceiver__nack_generator"


class Frames(JitterFrame):
    """A frame, and those that became whole with it: `later`, each with its ticks since this one."""

    def __init__(self, data: bytes, timestamp: int) -> None:
        super().__init__(data, timestamp)
        self.later: list[tuple[int, bytes]] = []


class VideoBuffer:
    """The packets of a peer's video, until their frames are whole.

    When a packet is given up, nothing comes out before a key frame: frames that refer to one that
    was never decoded would be smeared, and a smeared face is not that of the person.
    """

    def __init__(self) -> None:
        self._packets: dict[int, RtpPacket] = {}
        self._next = 0  # the first packet of the next frame
        self._begun = False
        self._broken = False
        self._since = 0  # the timestamp of the newest frame let go, or given up

    def add(self, packet: RtpPacket) -> tuple[bool, Frames | None]:
        """Take a packet; tells whether a key frame is needed, and what has become whole."""
        number = packet.sequence_number
        if not self._begun:
            self._begun, self._next, self._since = True, number, packet.timestamp
        behind = uint16_add(self._next, -number) if uint16_gt(self._next, number) else 0
        if 0 < behind < MOST_LATE:
            return False, None
        self._packets[number] = packet
        lost = behind > 0 or self._is_lost(packet.timestamp)
        if lost:
            self._break_off(packet)
        elif self._broken and is_key(_data(packet)):
            self._begin(number)
        return lost, self._whole()

    def break_off(self) -> None:
        """Let nothing out before a key frame: some of what came out was not decoded."""
        self._broken = True

    def gives_up(self, timestamp: int) -> bool:
        """Whether what is missing is no longer waited for when video of this time has come."""
        return PATIENCE < uint32_add(timestamp, -self._since) < 1 << 31

    def waits_for(self, number: int) -> bool:
        """Whether a packet that has not come is still of use."""
        return not uint16_gt(self._next, number)

    def _is_lost(self, timestamp: int) -> bool:
        """Whether a packet is missing for too long, or a key frame."""
        if len(self._packets) > MOST_PACKETS:
            return True
        if not self.gives_up(timestamp):
            return False
        return self._broken or sum(1 for _ in self._following()) < len(self._packets)

    def _break_off(self, newest: RtpPacket) -> None:
        """Go on at the newest key frame that has begun, or else at what comes next."""
        self._broken, self._since = True, newest.timestamp
        here = sorted(self._packets, key=lambda each: uint16_add(newest.sequence_number, -each))
        after = uint16_add(newest.sequence_number, 1)
        self._begin(next((each for each in here if is_key(_data(self._packets[each]))), after))

    def _begin(self, number: int) -> None:
        self._next = number
        self._packets = {
            each: packet for each, packet in self._packets.items() if not uint16_gt(number, each)
        }

    def _whole(self) -> Frames | None:
        """Let go all frames up to the first that misses a packet."""
        frames: Frames | None = None
        while packets := self._run():
            for packet in packets:
                del self._packets[packet.sequence_number]
            self._next = uint16_add(packets[-1].sequence_number, 1)
            data = b"".join(map(_data, packets))
            self._broken = self._broken and not is_key(data)
            if self._broken or not data:  # padding has none
                continue
            self._since = packets[0].timestamp
            if frames is None:
                frames = Frames(data, self._since)
            else:
                frames.later.append((uint32_add(self._since, -frames.timestamp), data))
        return frames

    def _run(self) -> list[RtpPacket]:
        """The packets of the next frame if they are all here."""
        run: list[RtpPacket] = []
        for packet in self._following():
            if run and packet.timestamp != run[0].timestamp:
                return run
            run.append(packet)
            if packet.marker:
                return run
        return []

    def _following(self) -> Iterator[RtpPacket]:
        number = self._next
        while (packet := self._packets.get(number)) is not None:
            yield packet
            number = uint16_add(number, 1)


class PersistentNack(NackGenerator):
    """Asks for missing packets as long as they are waited for: requests get lost as well."""

    def __init__(self, buffer: VideoBuffer) -> None:
        super().__init__()
        self._buffer = buffer
        self._asked: int | None = None

    def add(self, packet: RtpPacket) -> bool:
        """Take a packet; tells whether `missing` is to be asked for."""
        missed = super().add(packet)
        if self._buffer.gives_up(packet.timestamp):
            self.missing.clear()
        self.missing = set(filter(self._buffer.waits_for, self.missing))
        due = self._asked is None or uint32_gt(packet.timestamp, uint32_add(self._asked, ASK_AGAIN))
        if not self.missing or not (missed or due):
            return False
        self._asked = packet.timestamp
        return True


def is_key(data: bytes) -> bool:
    """Tell whether a frame, of which this is the beginning, can be decoded by itself.

    VP8 has a start code in key frames only (RFC 6386 section 9.1). In H.264 it is an IDR picture,
    from its first macroblock on, or the parameters before it (ITU-T H.264 sections 7.3.1, 7.3.3).
    """
    if data[3:6] == VP8_START_CODE:
        return not data[0] & 1
    for match in _NAL.finditer(data):
        kind = match[1][0] & 0x1F
        if kind == SPS or (kind == IDR and match[2][0] & 0x80):
            return True
    return False


def _data(packet: RtpPacket) -> bytes:
    """What aiortc has left of a packet without the codec's own header."""
    data: bytes = getattr(packet, "_data")  # noqa: B009
    return data


def install(receiver: RTCRtpReceiver) -> VideoBuffer:
    """Give a receiver of video one, before it receives anything."""
    if not isinstance(getattr(receiver, _BUFFER, None), JitterBuffer) or not isinstance(
        getattr(receiver, _NACK, None), NackGenerator
    ):
        raise RuntimeError("this version of aiortc keeps its jitter buffer elsewhere")  # noqa: TRY004 - no argument is wrong
    buffer = VideoBuffer()
    setattr(receiver, _BUFFER, buffer)
    setattr(receiver, _NACK, PersistentNack(buffer))
    return buffer
