"""The life of a session, from a peer that connects to a verdict that is kept and sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from liveness import protocol
from liveness.albums import Album
from liveness.challenge.hints import obstacle
from liveness.challenge.names import Hint
from liveness.challenge.sequence import Progress, Sequence
from liveness.errors import StoreUnavailable
from liveness.evidence.findings import Evidence
from liveness.identifying import Identifier
from liveness.metrics import Meter
from liveness.rtc.peer import Peer
from liveness.rtc.track import MOST_PIXELS, Counters, VideoTransformTrack
from liveness.scoring import Scorer
from liveness.states import rounded, state_of, worth_sending
from liveness.stopwatch import timed
from liveness.store import Status
from liveness.verdict import Reason, Verdict, decide
from liveness.vision.observation import Observation

CONNECT_LIMIT = 4.5
"""Seconds from the answer until media can flow. With what closing takes it stays below 5."""

SILENCE_LIMIT = 3.0
"""Seconds without a frame until the peer is asked whether it is still there."""

PROBE_LIMIT = 1.5
"""Seconds it has to answer that: three tries of STUN, half a second and one second apart."""

MEDIA_LIMIT = 4.5
"""Seconds without a frame that end the session of a peer that is still there: after two without a
network, the first whole picture may be two more on its way, where packets are lost as well."""

CHECK_INTERVAL = 0.2
"""Seconds between two looks at the clock."""

CHANNEL_LIMIT = 3.0
"""Seconds of video until an offered data channel that did not open counts as none."""

CLOCK_DRIFT = 1.1
"""How much slower than ours the sender's clock may run before our clock ends the session: the
time limit counts the video's own time, which is whatever the sender says it is."""

log = structlog.get_logger(__name__)

Kept = Callable[[Status, Verdict | None], Awaitable[None]]
Signed = Callable[[Verdict], Verdict]


@dataclass(frozen=True, slots=True)
class Host:
    """What a session needs of the server around it.

    `keep` stores how far it has come, `sign` gives the verdict its token, `meter` counts. `album`:
    for pictures, None where nobody wants any.
    """

    keep: Kept
    sign: Signed
    meter: Meter
    album: Album | None = None


class Session:
    """One person's try. `limit`: seconds of video."""

    def __init__(
        self,
        peer: Peer,
        sequence: Sequence,
        scorer: Scorer,
        identifier: Identifier,
        host: Host,
        *,
        limit: float,
    ) -> None:
        self._host = host
        self._counted = Counters()
        self._limit = limit
        self._sequence = sequence
        self._scorer = scorer
        self._identifier = identifier
        self._evidence = Evidence(identifier.identity)
        self._stopped: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        self._connected = asyncio.Event()
        self._sent: protocol.State | None = None
        self._time = 0.0
        self.peer = peer

    def stop(self, reason: Reason) -> None:
        """End the session from outside; the first reason counts."""
        if not self._stopped.done():
            self._stopped.set_result(reason)

    async def run(self) -> Verdict:
        """Live: connect, follow the video, decide, sign, keep the verdict, tell it, close."""
        try:
            reasons = await self._reasons_to_end()
            verdict = self._host.sign(self._decide(reasons))
            if self._host.album is not None:
                await self._host.album.keep()
            await self._host.keep(Status.FINISHED, verdict)
            await self.peer.farewell(protocol.VerdictMessage(**verdict.model_dump()))
        except StoreUnavailable:  # nobody is told what is not kept
            code = protocol.ErrorCode.INTERNAL
            detail = "The verdict cannot be kept"
            await self.peer.farewell(protocol.ErrorMessage(code=code, detail=detail))
            raise
        finally:
            await self._identifier.close()
            await self.peer.close()
            self._host.meter.count(self._track.counters, self._counted)
        return verdict

    async def _reasons_to_end(self) -> tuple[Reason, ...]:
        """Wait for whatever ends the session first; none at all when everything was passed."""
        follow = asyncio.create_task(self._follow(), name="follow")
        watch = asyncio.create_task(self._watch(), name="watch")
        try:
            ends: set[asyncio.Future[Any]] = {follow, watch, self._stopped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if follow.done():
                reasons = follow.result()
            else:
                reasons = (watch.result() if watch.done() else self._stopped.result(),)
            await self._scorer.finish()
        except Exception:
            log.exception("session failed")
            code = protocol.ErrorCode.INTERNAL
            self.peer.say(protocol.ErrorMessage(code=code, detail="The server failed"))
            reasons = (Reason.SERVER_LOST,)
        finally:
            follow.cancel()
            watch.cancel()
            await asyncio.gather(follow, watch, return_exceptions=True)
        return self._found or reasons

    async def _follow(self) -> tuple[Reason, ...]:
        """Measure frame after frame, until the challenges are passed or failed.

        Nobody passes unscored: when the moves took less time than the scores, those are awaited,
        for which the person has to look straight. What the last step still has to tell is awaited
        as well, and needs nobody's help.
        """
        progress: Progress | None = None
        await self._connected.wait()
        async for observation in self._track.observations():
            if observation.frame == 0:
                await self._host.keep(Status.RUNNING, None)
            self._time = observation.time
            with timed(self._host.meter.took, "decide"):
                if progress is None or not progress.passed_all:
                    progress = self._sequence.update(observation)
                attack = self._look(observation, progress)
            if attack:
                return self._found
            if progress.failure is not None:
                return (Reason(progress.failure.value),)
            if progress.passed_all:
                if self._decided:
                    return ()
                if self._identifier.overdue:  # nobody passes uncompared
                    hidden = self._identifier.hidden
                    return (Reason.FACE_LOST if hidden else Reason.SERVER_LOST,)
            if observation.time > self._limit:
                return (Reason.TIME_LIMIT,)
            self._tell(observation, progress)
        return (self._end_of_video(),)

    def _end_of_video(self) -> Reason:
        """Tell why no further frame is measured."""
        if self._track.too_large is None:
            return Reason.PEER_LEFT
        width, height = self._track.too_large
        log.info("video too large", width=width, height=height)
        detail = f"The video is too large: {width} x {height}; at most {MOST_PIXELS} pixels"
        code = protocol.ErrorCode.VIDEO_TOO_LARGE
        self.peer.say(protocol.ErrorMessage(code=code, detail=detail))
        return Reason.NO_MEDIA

    def _look(self, observation: Observation, progress: Progress) -> bool:
        """Tell whether it is an attack; slow looks are taken elsewhere, and told later."""
        if self._track.frame is not None:
            self._scorer.offer(self._track.frame, observation)
            self._identifier.offer(self._track.frame, observation, progress)
            if self._host.album is not None:
                self._host.album.offer(self._track.frame, observation, progress)
        return self._evidence.update(observation, progress) is not None

    @property
    def _found(self) -> tuple[Reason, ...]:
        """What stands however the session ends."""
        found = self._evidence.found
        return () if found is None else (Reason(found.value),)

    @property
    def _decided(self) -> bool:
        """Whether everything that was looked into has been told."""
        return self._scorer.decided and self._evidence.decided

    async def _watch(self) -> Reason:
        """Notice a peer that does not come, goes, falls silent, or overstays by our clock."""
        peer, counters = self.peer, self._track.counters
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await peer.connected.wait()
        except TimeoutError:
            return Reason.NEVER_CONNECTED
        if peer.gone.is_set():
            return Reason.NEVER_CONNECTED
        await self._host.keep(Status.CONNECTED, None)
        self._connected.set()
        started = time.monotonic()
        while not peer.gone.is_set():
            self._host.meter.count(counters, self._counted)
            newest = counters.arrival or started
            if time.monotonic() > newest + SILENCE_LIMIT:
                answers = await peer.answers(PROBE_LIMIT)
                if (counters.arrival or started) == newest:
                    if not answers:
                        return Reason.PEER_LEFT
                    if time.monotonic() > newest + MEDIA_LIMIT:
                        return Reason.NO_MEDIA
            if time.monotonic() > started + CLOCK_DRIFT * self._limit + SILENCE_LIMIT:
                return Reason.TIME_LIMIT
            await asyncio.sleep(CHECK_INTERVAL)
        return Reason.PEER_LEFT

    def _tell(self, observation: Observation, progress: Progress) -> None:
        """Send the state if it is worth it, and let the sequence know that a prompt is out."""
        if progress.passed_all and not self._scorer.decided:
            hint = obstacle(observation, first=False) or Hint.LOOK_STRAIGHT
            progress = replace(progress, hint=hint)
        state = state_of(observation, progress, self._scorer.average)
        if self.peer.channel_open:
            if not worth_sending(self._sent, state) or not self.peer.say(state):
                return
            self._sent = state
            self._host.meter.told(time.monotonic() - self._track.arrival)
        elif self.peer.offers_channel and observation.time < CHANNEL_LIMIT:
            return  # it is about to open
        self._sequence.prompted(observation.time)

    def _decide(self, reasons: tuple[Reason, ...]) -> Verdict:
        return decide(
            self._sequence.results(self._time),
            reasons,
            frames=self._track.counters.measured,
            seconds=self._time,
            finished_at=datetime.now(UTC),
            spoof_score=rounded(self._scorer.average),
            faces_compared=self._evidence.compared,
            attacked=self._scorer.attacked,
        )

    @property
    def _track(self) -> VideoTransformTrack:
        if self.peer.track is None:
            raise RuntimeError("the peer has not answered an offer")
        return self.peer.track
