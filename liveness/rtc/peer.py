"""One WebRTC peer: answers its offer, measures its video, talks over its data channel."""

import asyncio
from collections.abc import Coroutine, Sequence

import structlog
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from pydantic import BaseModel, ValidationError

from liveness.errors import Unservable
from liveness.protocol import CHANNEL_LABEL, Ping, Pong
from liveness.rtc import ice
from liveness.rtc.clock import hold_steady
from liveness.rtc.decoding import DecodingThreads
from liveness.rtc.network import Network
from liveness.rtc.sctp import mend
from liveness.rtc.sdp import MAX_CANDIDATES, Offer
from liveness.rtc.track import VideoTransformTrack
from liveness.vision.analyser import Analyser

MAX_MESSAGE = 1024
"""Characters of a client's message that are looked at; a ping has 15."""

MAX_BUFFERED = 64 * 1024
"""Bytes that may wait in the data channel; a client that reads nothing gets no more states."""

FAREWELL = 2.0
"""Seconds a client has to take the last message; a lost packet is repeated after one."""

CLOSING = 5.0
"""Seconds until a connection that does not close is given up."""

hold_steady()  # before there is a connection
mend()

log = structlog.get_logger(__name__)


class Peer:
    """A peer connection and what this server uses of it.

    `gone` is set once the connection is over, for good; `connected` once media can flow, or never
    will because the peer is gone. `fingerprint`: of the certificate that it proved to hold.
    """

    def __init__(self, ice_servers: Sequence[RTCIceServer] = ()) -> None:
        # Without a list aiortc would ask a public STUN server, and wait for it where there is none.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        self._connection.on("connectionstatechange", self._state_changed)
        self._connection.on("datachannel", self._channel_opened)
        self._channel: RTCDataChannel | None = None
        self._channel_closed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._candidates = 0
        self._ufrag = ""
        self._fingerprint: str | None = None
        self.fingerprint: str | None = None
        self.track: VideoTransformTrack | None = None
        self.offers_channel = False
        self.connected = asyncio.Event()
        self.gone = asyncio.Event()

    async def answer(
        self,
        offer: Offer,
        analyser: Analyser,
        threads: DecodingThreads,
        network: Network,
    ) -> str:
        """Answer an offer.

        Raises `Unservable`, `PortsExhausted`, after which the peer has to be closed.
        """
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            self._choose_tracks(offer, analyser, threads)
            network.prepare(connection)
            await connection.setLocalDescription()
        except (InternalError, InvalidStateError, OperationError, ValueError) as error:
            raise Unservable(f"The offer cannot be answered: {error}") from error
        if self.track is None:
            raise Unservable("The offered video cannot be received")
        self.offers_channel = offer.has_channel
        self._ufrag = offer.ufrag
        self._fingerprint = offer.fingerprint
        if offer.candidates:
            self.add_candidates(offer.candidates, complete=offer.complete)
        return connection.localDescription.sdp

    def _choose_tracks(self, offer: Offer, analyser: Analyser, threads: DecodingThreads) -> None:
        """Measure the first video, decline the rest.

        What is declined nobody encodes, sends or decodes; packets that come all the same find no
        receiver.
        """
        for transceiver in self._connection.getTransceivers():
            receiver = transceiver.receiver
            if self.track is None and receiver.track and transceiver.mid == offer.video:
                self.track = VideoTransformTrack.of(receiver, analyser, threads)
            else:
                transceiver.direction = "inactive"

    def restarts(self, ufrag: str | None) -> bool:
        """Tell whether these ICE credentials are other ones than the offer's."""
        return ufrag is not None and ufrag != self._ufrag

    def add_candidates(self, candidates: Sequence[RTCIceCandidate], *, complete: bool) -> None:
        """Take trickled candidates; looking up their names goes on in the background."""
        room = MAX_CANDIDATES - self._candidates
        self._candidates += len(candidates[:room])
        self._keep(self._add_candidates(candidates[:room], complete=complete))

    async def _add_candidates(
        self, candidates: Sequence[RTCIceCandidate], *, complete: bool
    ) -> None:
        try:
            for candidate in candidates:
                await self._connection.addIceCandidate(candidate)
            if complete:
                await self._connection.addIceCandidate(None)
        except OSError as error:  # no multicast here, so that a name cannot be looked up
            log.info("candidate not added", error=str(error))

    @property
    def channel_open(self) -> bool:
        """Whether there is a data channel to talk over."""
        return self._channel is not None and self._channel.readyState == "open"

    def say(self, message: BaseModel) -> bool:
        """Send a message; False where there is no open channel, or nobody reads it."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return False
        if channel.bufferedAmount > MAX_BUFFERED:
            return False
        channel.send(message.model_dump_json())
        return True

    async def answers(self, seconds: float) -> bool:
        """Ask for a sign of life."""
        return await ice.answers(self._connection, seconds)

    async def farewell(self, message: BaseModel) -> None:
        """Send the last message and see that it arrives: a closing channel is flushed first."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        channel.send(message.model_dump_json())
        channel.close()
        try:
            async with asyncio.timeout(FAREWELL):
                await self._channel_closed.wait()
        except TimeoutError:
            log.info("last message not acknowledged")

    async def close(self) -> None:
        """Close everything; nothing of this peer runs or is held afterwards."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.track is not None:
            self.track.stop()
            await self.track.closed()
        try:
            async with asyncio.timeout(CLOSING):
                await self._connection.close()
        except TimeoutError:
            log.warning("peer connection does not close")
        self._channel = None
        self.gone.set()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state in {"failed", "closed"}:
            self.gone.set()
        if state == "connected":
            self.fingerprint = self._fingerprint
        if state == "connected" or self.gone.is_set():
            self.connected.set()

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == CHANNEL_LABEL and self._channel is None:
            self._channel = channel
            channel.on("message", self._heard)
            channel.on("close", self._channel_closed.set)

    def _heard(self, text: str | bytes) -> None:
        """Answer a ping; whatever else a client says is ignored."""
        if len(text) > MAX_MESSAGE:
            return
        try:
            Ping.model_validate_json(text)
        except ValidationError:
            return
        self.say(Pong())
