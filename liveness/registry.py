"""All sessions of this process: made, claimed by a peer, ended, and forgotten in time."""

import asyncio
import hashlib
import secrets
import uuid
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Order, Plan
from liveness.challenge.sequence import Sequence
from liveness.errors import Conflict, NotFound, ServerFull, ServerStopping, Unauthorized, Unservable
from liveness.identifying import Identifying
from liveness.metrics import Metrics
from liveness.rtc.ice import parse_ice_server
from liveness.rtc.peer import Peer
from liveness.rtc.sdp import Fragment, Offer
from liveness.scoring import Scoring
from liveness.session import Session
from liveness.settings import Settings
from liveness.store import Record, Status, Store
from liveness.verdict import Reason, Verdict
from liveness.vision.analyser import Analyser
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel

UNUSED_LIFETIME = timedelta(minutes=10)
"""How long a session waits for its peer: time to read the page and to find a camera."""

RESULT_LIFETIME = timedelta(hours=1)
"""How long a verdict can be read."""

SWEEP_INTERVAL = 30.0
"""Seconds between two looks for records whose time is over."""

RETRY_AFTER = 10
"""Seconds after which a full server may be asked again: about what a session takes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ingest:
    """A WHIP resource that has just come to be."""

    session_id: str
    answer: str
    entity_tag: str


class Registry:
    """The sessions. `store` keeps their records, this keeps their peers."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        landmarker: Landmarker,
        executor: Executor,
        scoring: Scoring,
        identifying: Identifying,
    ) -> None:
        self.metrics = Metrics()
        self.stopping = False
        self._settings = settings
        self._store = store
        self.landmarker = landmarker  # sessions that begin later take the one that is here then
        self._ice_servers = [parse_ice_server(url) for url in settings.ice_server]
        self._executor = executor
        self._scoring = scoring
        self._identifying = identifying
        self._claimed: set[str] = set()
        self._live: dict[str, Session] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._sweeper = asyncio.create_task(self._sweep(), name="sweep")

    @property
    def classifier(self) -> SpoofModel | None:
        """The model that scores, None where there is none."""
        return self._scoring.model

    @property
    def spoof_model(self) -> str | None:
        """The name of the model that scores sessions, None where none does."""
        return None if self._scoring.model is None else self._scoring.model.card.name

    @property
    def compares_faces(self) -> bool:
        """Whether the faces of a session are compared with each other."""
        return self._identifying.describer is not None

    async def create(self, challenges: tuple[Challenge, ...] | None) -> tuple[Record, str]:
        """Make a session and its token, of which only the digest is kept."""
        if self.stopping:
            raise ServerStopping(retry_after=RETRY_AFTER)
        token = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        record = Record(
            id=str(uuid.uuid4()),
            token_digest=digest(token),
            challenges=challenges,
            status=Status.CREATED,
            created_at=now,
            expires_at=now + UNUSED_LIFETIME,
        )
        await self._store.put(record)
        self.metrics.created.inc()
        return record, token

    async def get(self, session_id: str) -> Record:
        """Find a session; raises `NotFound`."""
        record = await self._store.get(session_id)
        if record is None:
            raise NotFound("There is no such session")
        return _current(record)

    async def by_token(self, token: str) -> Record:
        """Find the session of a token; raises `Unauthorized`."""
        record = await self._store.find(digest(token))
        if record is None or _current(record).status is Status.EXPIRED:
            raise Unauthorized("The token is unknown or has expired")
        return record

    async def ingest(self, record: Record, offer: Offer) -> Ingest:
        """Let a peer in; raises `Conflict`, `ServerFull`, `ServerStopping`, `Unservable`.

        A session whose offer could not be answered may be tried again.
        """
        self._claim(record)
        peer = Peer(self._ice_servers)
        try:
            analyser = Analyser(self.landmarker)
            answer = await peer.answer(offer, analyser, self._executor, self._settings.ice_address)
            record = await self._open(record.id)
            self._start(record, peer)
        except BaseException:
            self._claimed.discard(record.id)
            await peer.close()
            raise
        return Ingest(record.id, answer, record.entity_tag or "")

    async def _open(self, session_id: str) -> Record:
        """Give a session its WHIP resource, unless it was deleted while the offer was answered."""
        change = {
            "entity_tag": secrets.token_urlsafe(9),
            "expires_at": datetime.now(UTC) + RESULT_LIFETIME,
        }
        record = (await self.get(session_id)).model_copy(update=change)
        await self._store.put(record)
        if self.stopping:
            raise ServerStopping(retry_after=RETRY_AFTER)
        return record

    def _claim(self, record: Record) -> None:
        """Take a place for a session, at once: two peers may ask at the same time."""
        if self.stopping:
            raise ServerStopping(retry_after=RETRY_AFTER)
        if record.id in self._claimed or record.status is not Status.CREATED:
            raise Conflict("The session is in use, or over; start another")
        if len(self._claimed) >= self._settings.max_sessions:
            raise ServerFull(retry_after=RETRY_AFTER)
        self._claimed.add(record.id)

    def _start(self, record: Record, peer: Peer) -> None:
        order = Order(self._settings.challenge_order)
        plan = Plan(record.challenges, steps=self._settings.steps, order=order)

        async def keep(status: Status, verdict: Verdict | None) -> None:
            await self._keep(record.id, status, verdict)

        scorer = self._scoring.scorer()
        identifier = self._identifying.identifier()
        limit = self._settings.time_limit
        session = Session(peer, Sequence(plan), scorer, identifier, keep, limit=limit)
        self._live[record.id] = session
        self._runs[record.id] = asyncio.create_task(self._run(record.id, session))
        self.metrics.running.set(len(self._live))

    async def _run(self, session_id: str, session: Session) -> None:
        structlog.contextvars.bind_contextvars(session=session_id)  # for every log of this task
        log.info("session started")
        try:
            verdict = await session.run()
            track = session.peer.track
            if track is not None:
                self.metrics.finish(verdict, track.counters)
                log.info(
                    "session finished",
                    verdict=verdict.verdict,
                    reasons=[str(reason) for reason in verdict.reasons],
                    frames=verdict.frames,
                    dropped=track.counters.dropped,
                    frame_rate=verdict.frame_rate,
                    spoof_score=verdict.spoof_score,
                )
        except Exception:
            log.exception("session lost")
        finally:
            del self._live[session_id], self._runs[session_id]
            self._claimed.discard(session_id)
            self.metrics.running.set(len(self._live))

    async def _keep(self, session_id: str, status: Status, verdict: Verdict | None) -> None:
        record = await self._store.get(session_id)
        if record is None:
            return
        change: dict[str, object] = {"status": status, "verdict": verdict}
        if status is Status.FINISHED:
            change["expires_at"] = datetime.now(UTC) + RESULT_LIFETIME
        await self._store.put(record.model_copy(update=change))

    def trickle(self, record: Record, fragment: Fragment) -> None:
        """Add candidates to a running session; raises `NotFound`, `Unservable`."""
        session = self._live.get(record.id)
        if session is None:
            raise NotFound("The session has no peer")
        if session.peer.restarts(fragment.ufrag):
            raise Unservable("ICE cannot be restarted; start another session")
        session.peer.add_candidates(fragment.candidates, complete=fragment.complete)

    async def leave(self, record: Record) -> None:
        """End the WHIP resource of a session; its verdict stays."""
        await self._end(record.id, Reason.PEER_LEFT)
        latest = await self.get(record.id)
        await self._store.put(latest.model_copy(update={"entity_tag": None}))

    async def delete(self, session_id: str) -> None:
        """End a session and forget everything about it."""
        await self._end(session_id, Reason.DELETED)
        await self._store.delete(session_id)

    async def _end(self, session_id: str, reason: Reason) -> None:
        session, run = self._live.get(session_id), self._runs.get(session_id)
        if session is not None and run is not None:
            session.stop(reason)
            await asyncio.wait([run])

    async def close(self) -> None:
        """End every session, and wait until nothing runs any more."""
        self.stopping = True
        for session in self._live.values():
            session.stop(Reason.SERVER_STOPPING)
        if self._runs:
            await asyncio.wait(list(self._runs.values()))
        self._sweeper.cancel()
        await asyncio.wait([self._sweeper])
        self._executor.shutdown(wait=True)
        self._scoring.close()
        await self._identifying.close()

    async def _sweep(self) -> None:
        """Mark unused sessions as expired, and forget what nobody may read any more."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            await self.sweep(datetime.now(UTC))

    async def sweep(self, now: datetime) -> None:
        """Do that once."""
        for record in await self._store.expired(now):
            if record.id in self._claimed:
                continue
            if record.status is Status.CREATED:
                change = {"status": Status.EXPIRED, "expires_at": now + RESULT_LIFETIME}
                await self._store.put(record.model_copy(update=change))
            else:
                await self._store.delete(record.id)


def digest(token: str) -> str:
    """Name a token without knowing it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _current(record: Record) -> Record:
    """Show a session that nobody has used in time as what it is, before the next sweep does."""
    unused = record.status is Status.CREATED and record.entity_tag is None
    if unused and record.expires_at <= datetime.now(UTC):
        return record.model_copy(update={"status": Status.EXPIRED})
    return record
