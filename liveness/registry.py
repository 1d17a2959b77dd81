"""All sessions, made, found, run and forgotten: what the calls of the API come to."""

import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Required, TypedDict, Unpack

from aiortc import RTCIceServer

from liveness.admission import RETRY_AFTER
from liveness.albums import Albums
from liveness.board import Board
from liveness.challenge.names import Challenge
from liveness.errors import NotFound, ServerStopping, Unauthorized
from liveness.expiry import ExpiryClock
from liveness.issuing import Issuing
from liveness.ledger import Ledger
from liveness.limits import Limits
from liveness.metrics import Metrics
from liveness.rtc.sdp import Fragment, Offer
from liveness.rtc.servers import CREDENTIAL_MARGIN, IceServers
from liveness.runner import Ingest, Runner
from liveness.settings import Settings
from liveness.sight import Sight
from liveness.store import Page, Record, Status, Store
from liveness.upkeep import Upkeep
from liveness.verdict import Reason, Verdict
from liveness.webhooks import Webhooks

UNUSED_LIFETIME = timedelta(minutes=10)
"""How long a session waits for its peer: time to read the page and to find a camera."""


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
    """The sessions. `store` keeps their records, `runner` those that have a peer here."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        metrics: Metrics,
        sight: Sight,
        issuing: Issuing,
        albums: Albums,
        board: Board,
    ) -> None:
        self.metrics = metrics
        self.sight = sight
        self._settings = settings
        self._store = store
        self._issuing = issuing
        self._albums = albums
        self._servers = IceServers.of(settings.ice_server, settings.turn_key())
        self.limits = Limits(store, settings)
        self.clock = ExpiryClock(UNUSED_LIFETIME)
        retention = timedelta(seconds=settings.retention)
        self.ledger = Ledger(store, retention, self._sign_lost, board.seat.owner)
        self._webhooks = Webhooks(
            store,
            settings.webhooks(),
            private=settings.webhook_allow_private,
            told=lambda outcome: metrics.webhooks.labels(outcome).inc(),
        )
        self._runner = runner = Runner(
            settings,
            board,
            metrics,
            sight=sight,
            ledger=self.ledger,
            issuing=issuing,
            albums=albums,
            finished=self._finished,
        )
        self._upkeep = Upkeep(store, self.ledger, runner.live, runner.claimed, self.clock)

    def _sign_lost(self, verdict: Verdict, record: Record) -> Verdict:
        return self._issuing.issue(verdict, record, datetime.now(UTC))

    async def _finished(self, record: Record, verdict: Verdict) -> None:
        self._webhooks.wake()
        await self.limits.note(record, verdict)

    @property
    def stopping(self) -> bool:
        """Whether no further sessions are taken."""
        return self._runner.stopping

    async def ping(self) -> None:
        """Find out whether sessions can be kept; raises `StoreUnavailable`."""
        await self._store.ping()

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
        """Let a peer in; raises what `Runner.ingest` does, and `SubjectLocked`."""
        await self.limits.check_subject(record.subject_digest)
        return await self._runner.ingest(record, offer, self.ice_servers(record))

    def trickle(self, record: Record, fragment: Fragment) -> None:
        """Add candidates to a running session; raises `NotFound`, `Unservable`."""
        self._runner.trickle(record, fragment)

    async def leave(self, record: Record) -> None:
        """End the WHIP resource of a session; its verdict stays."""
        await self._runner.end(record.id, Reason.PEER_LEFT)
        await self.ledger.leave(record.id)

    async def delete(self, session_id: str) -> None:
        """End a session and forget everything about it."""
        await self._runner.end(session_id, Reason.DELETED)
        await self._store.delete(session_id)

    async def drain(self) -> None:
        """Take no further sessions, and wait until those that run are over."""
        await self._runner.drain()

    async def close(self) -> None:
        """End every session, and wait until nothing runs any more."""
        await self._runner.close()
        await self._webhooks.close()  # which tells of the sessions that ended just now
        await self._upkeep.close()
        await self.sight.close()
        self._albums.close()


def digest(token: str) -> str:
    """Name a token without knowing it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _current(record: Record, now: datetime) -> Record:
    """Show a session that nobody has used in time as what it is, before the next sweep does."""
    unused = record.status is Status.CREATED and record.owner is None
    if unused and record.expires_at <= now:
        return record.model_copy(update={"status": Status.EXPIRED})
    return record
