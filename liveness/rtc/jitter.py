"""A jitter buffer that lets a frame go as soon as it is whole.

aiortc's waits for the first packet of the next frame: everything that is said about a frame would
be a frame's time late, 33 ms at 30 a second. The last packet of a frame carries a mark that says so
(RFC 7741 section 4.1 for VP8, RFC 6184 section 5.1 for H.264).
"""

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket  # noqa: TC002 - not worth a block of its own

_BUFFER = "_RTCRtpReceiver__jitter_buffer"


class PromptJitterBuffer(JitterBuffer):
    """Gives frames at their last packet; those whose last one is not marked as aiortc does."""

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        packets: list[RtpPacket] = []
        for count in range(self.capacity):
            packet = self._packets[((self._origin or 0) + count) % self.capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                break
            packets.append(packet)
            if packet.marker:
                self.remove(len(packets))
                # What aiortc has left of a packet without the codec's own header.
                data = b"".join(getattr(each, "_data") for each in packets)  # noqa: B009
                return JitterFrame(data=data, timestamp=packet.timestamp)
        return super()._remove_frame(sequence_number)


def install(receiver: RTCRtpReceiver) -> None:
    """Give a receiver of video one, before it receives anything."""
    buffer = getattr(receiver, _BUFFER, None)
    if not isinstance(buffer, JitterBuffer):
        raise RuntimeError("this version of aiortc keeps its jitter buffer elsewhere")  # noqa: TRY004 - no argument is wrong
    setattr(receiver, _BUFFER, PromptJitterBuffer(buffer.capacity, is_video=True))
