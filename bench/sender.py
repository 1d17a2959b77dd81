"""The load: peers that send encoded video, in a process of their own."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, islice, permutations
from random import Random
from typing import Any

import aiohttp
import av
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack

from bench.clips import Clip, Encoding, Moves
from liveness.challenge.names import Challenge
from liveness.protocol import CHANNEL_LABEL
from liveness.rtc.network import Network

LOOPBACK = "127.0.0.1"
STAGGER = 0.15
"""Seconds from one session's start to the next: nobody's door is passed by all at once."""

ORDERS = [["front", *order] for order in permutations(("right", "left", "blink"))]
"""What people are asked, each the next one: in every run the same."""

NEVER_MADE = ["front", "right"]
"""Challenges of sessions that are to last: nobody turns in an idle clip."""


class Player(MediaStreamTrack):
    """Sends encoded frames in time; `following` names what comes after a clip's end."""

    kind = "video"

    def __init__(self, rate: int, following: Callable[[], Clip | None]) -> None:
        super().__init__()
        self.rate = rate
        self.started = 0.0
        self._following = following
        self._frames: deque[bytes] = deque()
        self._numbers = count()
        self._key = False

    async def recv(self) -> "av.Packet[av.stream.Stream]":
        number = next(self._numbers)
        if number == 0:
            self.started = time.monotonic()
        await asyncio.sleep(self.started + number / self.rate - time.monotonic())
        key = not self._frames
        if key:
            clip = self._following()
            if clip is None:
                await asyncio.Event().wait()  # nothing more to show: the session is ended outside
            self._frames.extend(clip or [])
        packet = av.Packet(self._frames.popleft())
        packet.pts = packet.dts = number
        packet.time_base = Fraction(1, self.rate)
        packet.is_keyframe = key
        return packet


@dataclass
class Outcome:
    """What one session saw. `lags`: seconds from sending a frame to hearing about it."""

    status: int = 0
    lags: list[float] = field(default_factory=list)
    verdict: dict[str, Any] | None = None


class Client:
    """One headless peer."""

    def __init__(self, http: aiohttp.ClientSession, player: Player, encoding: Encoding) -> None:
        self.outcome = Outcome()
        self.over = asyncio.Event()
        self.on_state: Callable[[Mapping[str, Any]], None] = lambda _state: None
        self._http = http
        self._player = player
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = self._peer.addTransceiver(player, "sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences(
            [codec for codec in codecs if codec.mimeType == encoding.mime_type]
        )
        self._channel = self._peer.createDataChannel(CHANNEL_LABEL)
        self._channel.on("message", self._hear)

    async def connect(self, challenges: Sequence[str]) -> bool:
        """Connect; False when the server is full."""
        body = {"challenges": list(challenges)}
        async with self._http.post("/api/sessions", json=body) as response:
            response.raise_for_status()
            created = await response.json()
        Network([LOOPBACK]).prepare(self._peer)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        headers = {"Authorization": f"Bearer {created['token']}", "Content-Type": "application/sdp"}
        offer = self._peer.localDescription.sdp
        async with self._http.post("/whip", data=offer, headers=headers) as response:
            self.outcome.status = response.status
            if not response.ok:
                await self.close()
                return False
            answer = await response.text()
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return True

    async def close(self) -> None:
        await self._peer.close()

    def _hear(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "verdict":
            self.outcome.verdict = message
            self.over.set()
        if message["type"] == "state":
            sent = self._player.started + message["time"]
            self.outcome.lags.append(time.monotonic() - sent)
            self.on_state(message)


async def watch(
    url: str, clip: Clip, encoding: Encoding, sessions: int, seconds: float
) -> list[Outcome]:
    """Show the same idle person in so many sessions for `seconds` after the last has come."""
    async with aiohttp.ClientSession(url) as http:
        clients = []
        for _ in range(sessions):
            clips = iter([clip])
            player = Player(encoding.rate, lambda clips=clips: next(clips, None))  # type: ignore[misc]
            clients.append(Client(http, player, encoding))
            await clients[-1].connect(NEVER_MADE)
            await asyncio.sleep(STAGGER)
        await asyncio.sleep(seconds)
        await asyncio.gather(*(client.close() for client in clients))
    return [client.outcome for client in clients]


class Person:
    """Does what it is asked, with clips that it shows once each."""

    def __init__(self, moves: Moves, random: Random) -> None:
        self._left = {
            challenge: random.sample(clips, len(clips)) for challenge, clips in moves.clips.items()
        }
        self._asked = Challenge.FRONT
        self._done: tuple[int, Challenge] | None = None
        self._step = 0

    def react(self, state: Mapping[str, Any]) -> None:
        self._step, self._asked = state["step"], Challenge(state["challenge"])

    def following(self) -> Clip | None:
        """Move, when that was asked and has not been done; else wait."""
        task = (self._step, self._asked)
        move = self._asked if task != self._done else Challenge.FRONT
        self._done = task
        clips = self._left[move] or self._left[Challenge.FRONT]
        return clips.pop() if clips else None


async def check(url: str, moves: Moves, encoding: Encoding, people: int) -> list[Outcome]:
    """Have so many people checked at the same time, in every order that a session may ask."""
    async with aiohttp.ClientSession(url) as http:
        return list(
            await asyncio.gather(*(_check(http, moves, encoding, seed) for seed in range(people)))
        )


async def _check(
    http: aiohttp.ClientSession, moves: Moves, encoding: Encoding, seed: int
) -> Outcome:
    await asyncio.sleep(STAGGER * seed)
    person = Person(moves, Random(seed))  # noqa: S311 - who shows what, no secret
    client = Client(http, Player(encoding.rate, person.following), encoding)
    client.on_state = person.react
    try:
        if await client.connect(ORDERS[seed % len(ORDERS)]):
            async with asyncio.timeout(40):
                await client.over.wait()
    except TimeoutError:
        pass  # an outcome without a verdict says so
    finally:
        await client.close()
    return client.outcome


async def come_and_go(
    url: str, clip: Clip, encoding: Encoding, sessions: int, seconds: float
) -> None:
    """Have short sessions one after the other, four at a time."""
    gate = asyncio.Semaphore(4)

    async def short(http: aiohttp.ClientSession) -> None:
        async with gate:
            part = list(islice(clip, round(seconds * encoding.rate)))
            clips = iter([part])
            client = Client(http, Player(encoding.rate, lambda: next(clips, None)), encoding)
            await client.connect(NEVER_MADE)
            await asyncio.sleep(seconds)
            await client.close()

    async with aiohttp.ClientSession(url) as http:
        await asyncio.gather(*(short(http) for _ in range(sessions)))
