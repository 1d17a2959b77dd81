"""A WHIP client without a browser: publishes a source, and collects what the server says."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import aiohttp
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from yarl import URL

from liveness.protocol import CHANNEL_LABEL, ErrorMessage, State
from liveness.rtc.ice import LOOPBACK
from liveness.rtc.network import Network
from liveness.testing.impairment import ImpairedLink
from liveness.testing.raster import Picture
from liveness.testing.source import Source, as_source
from liveness.testing.track import SourceTrack
from liveness.testing.whip import PeerError, WhipClient
from liveness.verdict import Verdict

Scene = Source | Path | str | Iterable[Picture]
"""What can be published: a source, a video file, or pictures in a row."""

TIMEOUT = 60.0
"""Seconds for a whole check: a genuine person needs less than ten."""
CONNECT_TIMEOUT = 10.0  # seconds for ICE and DTLS
CLOSE_TIMEOUT = 5.0  # seconds
PING_INTERVAL = 5.0  # seconds, as the protocol asks
POLL_INTERVAL = 0.25  # seconds between two looks at a session without a data channel


@dataclass(frozen=True, slots=True)
class Check:
    """What a session came to: every state that was sent, the verdict, and the frames published."""

    session: str
    states: tuple[State, ...]
    verdict: Verdict
    sent: int
    skipped: int

    @property
    def challenges(self) -> tuple[str, ...]:
        """The challenges in the order in which they were asked, repeats after a reset included."""
        steps = [(state.step, state.challenge.value) for state in self.states]
        return tuple(challenge for (_, challenge), _ in groupby(steps))


class HeadlessPeer:
    """Publishes `scene` to the server at `url`; use it as an async context manager.

    `token`: of a session made before; without it one is made, of `challenges` if given, with
    `api_key` if the server wants one. `ssl`: False accepts any certificate, for self-signed ones.
    `ice_addresses`: gather candidates on these only; by default on loopback when `url` is there,
    else on every address. `relay_only`: have everything go through the TURN server that the server
    names. `link`: what the packets of the peer go through. `codec`: VP8 or H264. `data_channel`:
    False makes an ordinary WHIP client, whose verdict is asked for over HTTP.
    """

    def __init__(  # noqa: PLR0913 - options of a client, each with a default
        self,
        url: str | URL,
        scene: Scene,
        *,
        token: str | None = None,
        challenges: Sequence[str] | None = None,
        api_key: str | None = None,
        ssl: bool | SSLContext = True,
        ice_addresses: Sequence[str] | None = None,
        relay_only: bool = False,
        link: ImpairedLink | None = None,
        codec: str = "VP8",
        fps: float = 30.0,
        data_channel: bool = True,
    ) -> None:
        self._url = URL(url)
        self._source = as_source(scene)
        self.token = token
        self._challenges = challenges
        self._api_key = api_key
        self._ssl = ssl
        on_loopback = self._url.host in (LOOPBACK, "localhost")
        default = (LOOPBACK,) if on_loopback else ()
        self._addresses = tuple(default if ice_addresses is None else ice_addresses)
        self._relay_only = relay_only
        self._link = link
        self._codec = codec
        self._fps = fps
        self._has_channel = data_channel
        self._connection: RTCPeerConnection | None = None
        self._pings: asyncio.Task[None] | None = None
        self.session = ""
        self.states: list[State] = []
        self.errors: list[ErrorMessage] = []

    async def __aenter__(self) -> Self:
        self._whip = WhipClient(self._url, token=self.token, ssl=self._ssl)
        self._verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._connected = asyncio.Event()
        self._ended = asyncio.Event()
        self._track = SourceTrack(self._source, self._fps)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._connect()
        except TimeoutError as error:
            await self.close()
            raise PeerError("the connection was not established in time") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def check(self, timeout: float = TIMEOUT) -> Check:  # noqa: ASYNC109 - of a whole check
        """Wait for the verdict, however it comes.

        Raises `PeerError` when there is none in time, and whatever the source raised.
        """
        try:
            async with asyncio.timeout(timeout):
                verdict = await self._await_verdict()
        except TimeoutError as error:
            raise PeerError(f"no verdict within {timeout:g} s") from error
        return Check(
            self.session, tuple(self.states), verdict, self._track.sent, self._track.skipped
        )

    async def close(self) -> None:
        """End the session, if it still runs, and the connection."""
        if self._pings is not None:
            self._pings.cancel()
            await asyncio.gather(self._pings, return_exceptions=True)
        self._track.stop()
        if not self._verdict.done():
            with suppress(PeerError, aiohttp.ClientError, TimeoutError):
                await self._whip.leave()
        if not self._verdict.cancel() and not self._verdict.cancelled():
            self._verdict.exception()  # has been seen, even if nobody asked for the verdict
        if self._connection is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._connection.close()
        await self._whip.close()

    async def _connect(self) -> None:
        if self.token is None:
            await self._whip.create(self._challenges, self._api_key)
            self.token = self._whip.token
        self._connection = connection = RTCPeerConnection(await self._configuration())
        transceiver = connection.addTransceiver(self._track, direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        wanted = [c for c in codecs if c.mimeType.lower() == f"video/{self._codec}".lower()]
        if not wanted:
            raise ValueError(f"no such codec: {self._codec}")
        transceiver.setCodecPreferences(wanted)
        if self._has_channel:
            channel = connection.createDataChannel(CHANNEL_LABEL)
            channel.on("message", self._heard)
            channel.on("close", self._ended.set)
        connection.on("connectionstatechange", lambda: self._changed(connection.connectionState))
        if not self._relay_only:
            Network(self._addresses).prepare(connection)
        await connection.setLocalDescription()
        offer, link = connection.localDescription.sdp, self._link
        answer = await self._whip.publish(offer if link is None else link.offered(offer))
        self.session = self._whip.session
        answer = answer if link is None else link.answered(answer)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await self._connected.wait()
        if self._ended.is_set():
            raise PeerError("the connection failed")
        if self._has_channel:
            self._pings = asyncio.create_task(self._ping(channel))

    async def _configuration(self) -> RTCConfiguration:
        if not self._relay_only:  # without a list aiortc would ask a public STUN server
            return RTCConfiguration(iceServers=[])
        servers = await self._whip.ice_servers()
        return RTCConfiguration(servers, iceTransportPolicy=RTCIceTransportPolicy.RELAY)

    def _changed(self, state: str) -> None:
        if state in ("closed", "failed"):
            self._ended.set()
        if state in ("connected", "closed", "failed"):
            self._connected.set()

    def _heard(self, text: str | bytes) -> None:
        try:
            self._take(json.loads(text))
        except Exception as error:  # noqa: BLE001 - handed on to whoever awaits the verdict
            if not self._verdict.done():
                self._verdict.set_exception(error)

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "state":
                self.states.append(State.model_validate(message))
                self._source.react(message)
            case "verdict" if not self._verdict.done():
                self._verdict.set_result(Verdict.model_validate(message))
            case "error":
                self.errors.append(ErrorMessage.model_validate(message))

    async def _await_verdict(self) -> Verdict:
        """Take the verdict from the channel; read it where no channel will bring it."""
        leaving = False
        while True:
            done, _ = await asyncio.wait({self._verdict}, timeout=POLL_INTERVAL)
            if done:
                return self._verdict.result()
            if self._track.error is not None:
                raise self._track.error
            if self._track.readyState == "ended" and not leaving:
                leaving = True
                await self._whip.leave()
            if leaving or self._ended.is_set() or not self._has_channel:
                verdict = await self._whip.verdict()
                if verdict is not None:
                    return verdict

    async def _ping(self, channel: RTCDataChannel) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL)
            if channel.readyState == "open":
                channel.send(json.dumps({"type": "ping"}))


class Options(TypedDict, total=False):
    """Options of `HeadlessPeer`."""

    token: str | None
    challenges: Sequence[str] | None
    api_key: str | None
    ssl: bool | SSLContext
    ice_addresses: Sequence[str] | None
    relay_only: bool
    link: ImpairedLink | None
    codec: str
    fps: float
    data_channel: bool


async def run_check(
    url: str | URL,
    scene: Scene,
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - of a whole check
    **options: Unpack[Options],
) -> Check:
    """Publish `scene` to the server at `url`, and wait for the verdict.

    Raises `RefusedError` where the server turns the peer away, `PeerError` where there is no
    connection, or no verdict within `timeout` seconds, and whatever the source raises.
    """
    async with HeadlessPeer(url, scene, **options) as peer:
        return await peer.check(timeout)
