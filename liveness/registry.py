"""All sessions of this process: made, claimed by a peer, ended, and forgotten in time."""

import asyncio
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Required, TypedDict, Unpack

import structlog
from aiortc import RTCIceServer

from liveness.admission import RETRY_AFTER, Admission
from liveness.albums import Albums
from liveness.board import Board
from liveness.challenge.names import Challenge
from liveness.challenge.plan import Order, Plan
from liveness.challenge.sequence import Sequence
from liveness.cores import cores
from liveness.errors import (
    Conflict,
    NotFound,
    ServerStopping,
    StoreUnavailable,
    Unauthorized,
    Unservable,
)
from liveness.expiry import ExpiryClock
from liveness.identifying import Identifying
from liveness.issuing import Issuing
from liveness.ledger import IN_USE, Ledger
from liveness.limits import Limits
from liveness.metrics import Meter, Metrics
from liveness.rtc.decoding import DecodingThreads
from liveness.rtc.network import Network
from liveness.rtc.peer import Peer
from liveness.rtc.sdp import Fragment, Offer
from liveness.rtc.servers import CREDENTIAL_MARGIN, IceServers, readable
from liveness.scoring import Scoring
from liveness.session import Host, Session
from liveness.settings import Settings
from liveness.stopwatch import Stopwatch
from liveness.store import Page, Record, Status, Store
from liveness.upkeep import Upkeep
from liveness.verdict import Reason, Verdict
from liveness.vision.analyser import Analyser
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel
from liveness.webhooks import Webhooks

UNUSED_LIFETIME = timedelta(minutes=10)
"""How long a session waits for its peer: time to read the page and to find a camera."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ingest:
    """A WHIP resource that has just come to be."""

    session_id: str
    answer: str
    entity_tag: str


class Asked(TypedDict, total=False):
    """What a session may be made with; see `Record`."""

    challenges: Required[tuple[Challenge, ...] | None]
    key_name: str | None
    metadata: dict[str, str | int | float | bool]
    subject_digest: str | None
    success_url: str | None
    failure_url: str | None
    time_limit: float | None


class Registry:
    """The sessions. `store` keeps their records, this keeps their peers."""

    def __init__(  # noqa: PLR0913 - all that sessions share
        self,
        settings: Settings,
        store: Store,
        *,
        metrics: Metrics,
        landmarker: Landmarker,
        threads: DecodingThreads,
        scoring: Scoring,
        identifying: Identifying,
        issuing: Issuing,
        albums: Albums,
        board: Board,
    ) -> None:
        self.metrics = metrics
        self._meter = Meter(metrics)
        share = cores() / board.seat.workers
        self._admission = Admission(metrics, self._meter, cores=share, most_load=settings.most_load)
        self._places = board.seat.share(settings.max_sessions)
        self._board = board
        self.stopping = False
        self._settings = settings
        self._store = store
        self.limits = Limits(store, settings)
        # Sessions that begin later take the ones that are here then.
        self.landmarker = landmarker
        self.weights: dict[str, str] = {}  # the SHA-256 of every file in use
        self._servers = IceServers.of(settings.ice_server, settings.turn_key())
        self._network = Network(settings.ice_address, settings.ports, settings.public_ip)
        self._threads = threads
        self._scoring = scoring
        self._identifying = identifying
        self._issuing = issuing
        self._albums = albums
        self._claimed: set[str] = set()
        self._live: dict[str, Session] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        retention = timedelta(seconds=settings.retention)
        self.ledger = Ledger(store, retention, self._sign_lost, board.seat.owner)
        self.clock = ExpiryClock(UNUSED_LIFETIME)
        self._upkeep = Upkeep(store, self.ledger, self._live, self._claimed, self.clock)

        self._webhooks = Webhooks(
            store,
            settings.webhooks(),
            private=settings.webhook_allow_private,
            told=lambda outcome: self.metrics.webhooks.labels(outcome).inc(),
        )

    def _sign_lost(self, verdict: Verdict, record: Record) -> Verdict:
        return self._issuing.issue(verdict, record, datetime.now(UTC))

    async def ping(self) -> None:
        """Find out whether sessions can be kept; raises `StoreUnavailable`."""
        await self._store.ping()

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

    async def create(self, **asked: Unpack[Asked]) -> tuple[Record, str]:
        """Make a session and its token, of which only the digest is kept."""
        if self.stopping:
            raise ServerStopping(retry_after=RETRY_AFTER)
        token = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        record = Record(
            id=str(uuid.uuid4()),
            token_digest=digest(token),
            status=Status.CREATED,
            created_at=now,
            expires_at=now + UNUSED_LIFETIME,
            delivery=self._webhooks.delivery(asked.get("key_name")),
            **asked,
        )
        await self._store.create(record)
        self.metrics.created.inc()
        self.metrics.reached.labels(Status.CREATED.value).inc()
        return record, token

    async def get(self, session_id: str) -> Record:
        """Find a session; raises `NotFound`."""
        record = await self._store.get(session_id)
        if record is None:
            raise NotFound("There is no such session")
        return _current(record, self.clock.now())

    async def page(
        self, key_name: str | None, status: Status | None, *, after: str | None, limit: int
    ) -> Page:
        """List sessions of one relying party, newest first; see `Store.page`."""
        page = await self._store.page(status, key_name=key_name, after=after, limit=limit)
        now = self.clock.now()
        records = [_current(record, now) for record in page.records]
        return Page([each for each in records if status in {None, each.status}], page.after)

    async def by_token(self, token: str) -> Record:
        """Find the session of a token; raises `Unauthorized`."""
        record = await self._store.find(digest(token))
        if record is None or _current(record, self.clock.now()).status is Status.EXPIRED:
            raise Unauthorized("The token is unknown or has expired")
        return record

    def ice_servers(self, record: Record) -> list[RTCIceServer]:
        """Name the ICE servers, with credentials for this session; none once it is over."""
        if record.status is Status.FINISHED:
            return []
        limit = timedelta(seconds=record.time_limit or self._settings.time_limit)
        return self._servers.issue(record.id, datetime.now(UTC) + limit + CREDENTIAL_MARGIN)

    async def ingest(self, record: Record, offer: Offer) -> Ingest:
        """Let a peer in.

        Raises `Conflict`, `PortsExhausted`, `ServerFull`, `ServerStopping`, `Unservable`. A session
        whose offer could not be answered may be tried again.
        """
        await self.limits.check_subject(record.subject_digest)
        await self._claim(record)
        peer = Peer(readable(self.ice_servers(record)))
        try:
            analyser = Analyser(self.landmarker, Stopwatch(self.metrics.stage))
            answer = await peer.answer(offer, analyser, self._threads, self._network)
            opened = await self.ledger.open(record.id)
            if self.stopping:
                raise ServerStopping(retry_after=RETRY_AFTER)  # noqa: TRY301 - as what fails here
            self._start(opened, peer)
        except BaseException:
            await peer.close()
            await self._release(record)
            raise
        return Ingest(record.id, answer, opened.entity_tag or "")

    async def _claim(self, record: Record) -> None:
        """Take a place for a session, and the session: two peers may ask at the same time."""
        if self.stopping:
            raise ServerStopping(retry_after=RETRY_AFTER)
        if record.id in self._claimed or record.status is not Status.CREATED:
            raise Conflict(IN_USE)
        self._admission.enter(len(self._claimed), self._places)
        self._claimed.add(record.id)
        self._tell_load()
        try:
            await self.ledger.claim(record.id)
        except BaseException:
            self._leave_place(record.id)
            raise

    async def _release(self, record: Record) -> None:
        try:
            await self.ledger.release(record)
        except StoreUnavailable as error:  # the upkeep does it later
            log.warning("session not released", session=record.id, detail=error.detail)
        finally:
            self._leave_place(record.id)

    def _leave_place(self, session_id: str) -> None:
        self._claimed.discard(session_id)
        self._tell_load()

    def _tell_load(self) -> None:
        self._board.tell(None if self.stopping else len(self._claimed))

    def _start(self, record: Record, peer: Peer) -> None:
        order = Order(self._settings.challenge_order)
        plan = Plan(record.challenges, steps=self._settings.steps, order=order)

        weights = self.weights

        def sign(verdict: Verdict) -> Verdict:
            now, proven = datetime.now(UTC), peer.fingerprint
            return self._issuing.issue(
                verdict, record, now, dtls_fingerprint=proven, weights=weights
            )

        async def keep(status: Status, verdict: Verdict | None) -> None:
            self.metrics.reached.labels(status.value).inc()
            if verdict is None:
                await self.ledger.keep(record, status)
            else:
                await self.ledger.finish(record, verdict)
                self._webhooks.wake()
                await self.limits.note(record, verdict)

        scorer = self._scoring.scorer(self.metrics.scores.labels("session").observe)
        identifier = self._identifying.identifier(self.metrics.distances.observe)
        limit = record.time_limit or self._settings.time_limit
        host = Host(keep, sign, self._meter, self._albums.begin(record.id))
        session = Session(peer, Sequence(plan), scorer, identifier, host, limit=limit)
        self._live[record.id] = session
        self._runs[record.id] = asyncio.create_task(self._run(record.id, session))
        self._count_live()

    async def _run(self, session_id: str, session: Session) -> None:
        structlog.contextvars.bind_contextvars(session=session_id)  # for every log of this task
        log.info("session started")
        try:
            verdict = await session.run()
            track = session.peer.track
            if track is not None:
                self.metrics.finish(verdict)
                log.info(
                    "session finished",
                    verdict=verdict.verdict,
                    reasons=[str(reason) for reason in verdict.reasons],
                    frames=verdict.frames,
                    dropped=track.counters.dropped,
                    frame_rate=verdict.frame_rate,
                    spoof_score=verdict.spoof_score,
                    faces_compared=verdict.faces_compared,
                )
        except StoreUnavailable as error:
            log.error("verdict not kept", detail=error.detail)  # noqa: TRY400 - the store's log says why
        except Exception:
            log.exception("session lost")
        finally:
            del self._live[session_id], self._runs[session_id]
            self._leave_place(session_id)
            self._count_live()

    def _count_live(self) -> None:
        self.metrics.running.set(len(self._live))
        self._admission.inside(len(self._live))

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
        await self.ledger.leave(record.id)

    async def delete(self, session_id: str) -> None:
        """End a session and forget everything about it."""
        await self._end(session_id, Reason.DELETED)
        await self._store.delete(session_id)

    async def _end(self, session_id: str, reason: Reason) -> None:
        session, run = self._live.get(session_id), self._runs.get(session_id)
        if session is not None and run is not None:
            session.stop(reason)
            await asyncio.wait([run])

    async def drain(self) -> None:
        """Take no further sessions, and wait until those that run are over."""
        self.stopping = True
        self._tell_load()
        self.metrics.draining.set(1)
        log.info("draining", sessions=len(self._runs))
        if self._runs:
            await asyncio.wait(list(self._runs.values()))

    async def close(self) -> None:
        """End every session, and wait until nothing runs any more."""
        self.stopping = True
        for session in self._live.values():
            session.stop(Reason.SERVER_STOPPING)
        if self._runs:
            await asyncio.wait(list(self._runs.values()))
        await self._webhooks.close()  # which tells of the sessions that ended just now
        await self._upkeep.close()
        await self._admission.close()
        await asyncio.to_thread(self._threads.close)
        self._scoring.close()
        self._albums.close()
        await self._identifying.close()


def digest(token: str) -> str:
    """Name a token without knowing it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _current(record: Record, now: datetime) -> Record:
    """Show a session that nobody has used in time as what it is, before the next sweep does."""
    unused = record.status is Status.CREATED and record.owner is None
    if unused and record.expires_at <= now:
        return record.model_copy(update={"status": Status.EXPIRED})
    return record
