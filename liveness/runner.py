"""The sessions of this process that have a peer: let in, followed to their verdicts, ended."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiortc import RTCIceServer

from liveness.admission import RETRY_AFTER, Admission
from liveness.albums import Albums
from liveness.board import Board
from liveness.challenge.plan import Order, Plan
from liveness.challenge.sequence import Sequence
from liveness.cores import cores
from liveness.errors import Conflict, NotFound, ServerStopping, StoreUnavailable, Unservable
from liveness.issuing import Issuing
from liveness.ledger import IN_USE, Ledger
from liveness.metrics import Meter, Metrics
from liveness.rtc.network import Network
from liveness.rtc.peer import Peer
from liveness.rtc.sdp import Fragment, Offer
from liveness.rtc.servers import readable
from liveness.session import Host, Session
from liveness.settings import Settings
from liveness.sight import Sight
from liveness.stopwatch import Stopwatch
from liveness.store import Record, Status
from liveness.verdict import Reason, Verdict
from liveness.vision.analyser import Analyser

Finished = Callable[[Record, Verdict], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ingest:
    """A WHIP resource that has just come to be."""

    session_id: str
    answer: str
    entity_tag: str


class Runner:
    """Runs them. `finished` is told of each verdict once it is kept."""

    def __init__(  # noqa: PLR0913 - what sessions share, and where what they come to is kept
        self,
        settings: Settings,
        board: Board,
        metrics: Metrics,
        *,
        sight: Sight,
        ledger: Ledger,
        issuing: Issuing,
        albums: Albums,
        finished: Finished,
    ) -> None:
        self.stopping = False
        self._settings = settings
        self._board = board
        self._metrics = metrics
        self._sight = sight
        self._ledger = ledger
        self._issuing = issuing
        self._albums = albums
        self._finished = finished
        self._network = Network(settings.ice_address, settings.ports, settings.public_ip)
        self._meter = Meter(metrics)
        share = cores() / board.seat.workers
        self._admission = Admission(metrics, self._meter, cores=share, most_load=settings.most_load)
        self._places = board.seat.share(settings.max_sessions)
        self._claimed: set[str] = set()
        self._live: dict[str, Session] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}

    @property
    def live(self) -> Mapping[str, Session]:
        """Those that run, by their ids."""
        return self._live

    @property
    def claimed(self) -> Collection[str]:
        """The ids of those that have a place, which those that run are among."""
        return self._claimed

    async def ingest(self, record: Record, offer: Offer, servers: list[RTCIceServer]) -> Ingest:
        """Let a peer in.

        Raises `Conflict`, `PortsExhausted`, `ServerFull`, `ServerStopping`, `Unservable`. A session
        whose offer could not be answered may be tried again.
        """
        await self._claim(record)
        peer = Peer(readable(servers))
        landmarker, weights = self._sight.landmarker, self._sight.weights  # others may come
        try:
            analyser = Analyser(landmarker, Stopwatch(self._metrics.stage))
            answer = await peer.answer(offer, analyser, self._sight.threads, self._network)
            opened = await self._ledger.open(record.id)
            if self.stopping:
                raise ServerStopping(retry_after=RETRY_AFTER)  # noqa: TRY301 - as what fails here
            self._start(opened, peer, weights)
        except BaseException:
            await peer.close()
            await self._release(record)
            raise
        return Ingest(record.id, answer, opened.entity_tag or "")

    def trickle(self, record: Record, fragment: Fragment) -> None:
        """Add candidates to a running session; raises `NotFound`, `Unservable`."""
        session = self._live.get(record.id)
        if session is None:
            raise NotFound("The session has no peer")
        if session.peer.restarts(fragment.ufrag):
            raise Unservable("ICE cannot be restarted; start another session")
        session.peer.add_candidates(fragment.candidates, complete=fragment.complete)

    async def end(self, session_id: str, reason: Reason) -> None:
        """End a session, if it runs here, and wait until it is over."""
        session, run = self._live.get(session_id), self._runs.get(session_id)
        if session is not None and run is not None:
            session.stop(reason)
            await asyncio.wait([run])

    async def drain(self) -> None:
        """Take no further sessions, and wait until those that run are over."""
        self.stopping = True
        self._tell_load()
        self._metrics.draining.set(1)
        log.info("draining", sessions=len(self._runs))
        await self._wait()

    async def close(self) -> None:
        """End every session, and wait until nothing runs any more."""
        self.stopping = True
        for session in self._live.values():
            session.stop(Reason.SERVER_STOPPING)
        await self._wait()
        await self._admission.close()

    async def _wait(self) -> None:
        if self._runs:
            await asyncio.wait(list(self._runs.values()))

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
            await self._ledger.claim(record.id)
        except BaseException:
            self._leave_place(record.id)
            raise

    async def _release(self, record: Record) -> None:
        try:
            await self._ledger.release(record)
        except StoreUnavailable as error:  # the upkeep does it later
            log.warning("session not released", session=record.id, detail=error.detail)
        finally:
            self._leave_place(record.id)

    def _leave_place(self, session_id: str) -> None:
        self._claimed.discard(session_id)
        self._tell_load()

    def _tell_load(self) -> None:
        self._board.tell(None if self.stopping else len(self._claimed))

    def _start(self, record: Record, peer: Peer, weights: dict[str, str]) -> None:
        order = Order(self._settings.challenge_order)
        plan = Plan(record.challenges, steps=self._settings.steps, order=order)
        scorer = self._sight.scoring.scorer(self._metrics.scores.labels("session").observe)
        identifier = self._sight.identifying.identifier(self._metrics.distances.observe)
        limit = record.time_limit or self._settings.time_limit
        host = self._host(record, peer, weights)
        session = Session(peer, Sequence(plan), scorer, identifier, host, limit=limit)
        self._live[record.id] = session
        self._runs[record.id] = asyncio.create_task(self._run(record.id, session))
        self._count_live()

    def _host(self, record: Record, peer: Peer, weights: dict[str, str]) -> Host:
        """What is around one session."""

        def sign(verdict: Verdict) -> Verdict:
            now, proven = datetime.now(UTC), peer.fingerprint
            return self._issuing.issue(
                verdict, record, now, dtls_fingerprint=proven, weights=weights
            )

        async def keep(status: Status, verdict: Verdict | None) -> None:
            self._metrics.reached.labels(status.value).inc()
            if verdict is None:
                await self._ledger.keep(record, status)
            else:
                await self._ledger.finish(record, verdict)
                await self._finished(record, verdict)

        return Host(keep, sign, self._meter, self._albums.begin(record.id))

    async def _run(self, session_id: str, session: Session) -> None:
        structlog.contextvars.bind_contextvars(session=session_id)  # for every log of this task
        log.info("session started")
        try:
            verdict = await session.run()
            track = session.peer.track
            if track is not None:
                self._metrics.finish(verdict)
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
        self._metrics.running.set(len(self._live))
        self._admission.inside(len(self._live))
