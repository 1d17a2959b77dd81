"""Where sessions and their verdicts are kept, by one process or shared by many.

A record is changed by comparing and setting: `Store.change` reads it, asks whether it may, and
puts the new one in the place of exactly the one that was read. Of two processes that claim a
session, keep its verdict or take a delivery at the same time, one succeeds.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from liveness.challenge.names import Challenge
from liveness.verdict import Verdict

BATCH = 500
"""Records handed out at once by what is done now and then: half a megabyte."""

FARTHEST = timedelta(hours=6)
"""No delivery is put off for longer: where one seems to be, the wall clock was set back since."""


class Status(StrEnum):
    """How far a session has come."""

    CREATED = "created"
    CONNECTED = "connected"
    RUNNING = "running"
    FINISHED = "finished"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What has become of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Delivery(BaseModel):
    """How far the verdict's way to a webhook has come; kept by the same write as the verdict.

    `due_at`: when it is to be tried next; None before there is a verdict, and when that has been
    delivered or given up. `error`: why the last try came to nothing.
    """

    model_config = ConfigDict(frozen=True)

    status: Outcome = Outcome.WAITING
    due_at: datetime | None = None
    tries: int = 0
    error: str | None = None


class Record(BaseModel):
    """What is kept of a session. No picture, and of the token only its digest.

    `expires_at`: until when a created session may be used, or one that is over be read.
    `revision`: names one state of the record, and no other; the store sets it.
    `entity_tag`: of its WHIP resource, while there is one.
    `owner`: the process that is at work on it, None while none is.
    `metadata`: the relying party's own, `subject_digest`: of the person it names there.
    `time_limit`: seconds of video, None for the server's. `key_name`: of the API key it came by.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    token_digest: str
    challenges: tuple[Challenge, ...] | None
    status: Status
    created_at: datetime
    expires_at: datetime
    revision: str = ""
    entity_tag: str | None = None
    verdict: Verdict | None = None
    owner: str | None = None
    key_name: str | None = None
    metadata: dict[str, str | int | float | bool] = {}
    subject_digest: str | None = None
    success_url: str | None = None
    failure_url: str | None = None
    time_limit: float | None = None
    delivery: Delivery | None = None

    @property
    def place(self) -> str:
        """Where it stands among all: places sort as the sessions were created."""
        return f"{microseconds(self.created_at):016d}.{self.id}"

    @property
    def due_at(self) -> datetime | None:
        """When its verdict is to be delivered next, None if it is not."""
        return None if self.delivery is None else self.delivery.due_at

    def changed(self, fields: Mapping[str, object]) -> "Record":
        """A copy with other fields, and a revision of its own."""
        return self.model_copy(update={**fields, "revision": secrets.token_hex(8)})


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest first; `after` leads to the next page, None when this is the last."""

    records: list[Record]
    after: str | None

    @classmethod
    def of(cls, records: list[Record], limit: int) -> "Page":
        """Cut a page from records of which one more than `limit` was asked for."""
        more = len(records) > limit
        return cls(records[:limit], records[limit - 1].place if more else None)


class Store(ABC):
    """Keeps what processes share. Every method may be called at any time, by several tasks.

    All raise `StoreUnavailable` when the store cannot do it. Times are those of the wall clock.
    """

    async def create(self, record: Record) -> None:
        """Keep a new record; raises `ValueError` if there is one with its `id` or token."""
        if not await self._commit(record.id, None, record.changed({})):
            raise ValueError("there is such a record already")

    async def change(
        self, session_id: str, fields: Mapping[str, object], *, when: Callable[[Record], bool]
    ) -> Record | None:
        """Change a record if it is as it has to be, at once.

        Returns what is kept now; None if the record is gone, or `when` says no.
        """
        while (old := await self.get(session_id)) is not None and when(old):
            new = old.changed(fields)
            if await self._commit(session_id, old, new):
                return new
        return None

    async def delete(self, session_id: str) -> None:
        """Forget a record, and its pictures with it."""
        while (old := await self.get(session_id)) is not None:
            if await self._commit(session_id, old, None):
                return

    @abstractmethod
    async def _commit(self, session_id: str, old: Record | None, new: Record | None) -> bool:
        """Put `new` in the place of `old`, or do nothing and return False if that is not there.

        `old` None: it must not exist yet; `new` None: it is deleted, and its pictures with it.
        """

    @abstractmethod
    async def get(self, session_id: str) -> Record | None:
        """Find a record."""

    @abstractmethod
    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""

    @abstractmethod
    async def page(
        self, status: Status | None, *, key_name: str | None = None, after: str | None, limit: int
    ) -> Page:
        """List records, newest first, of one status or all; `after` is that of the page before.

        Those of one relying party; `key_name` None: those that came by no key.
        Records that come or go meanwhile move no other to a page where it would be missed.
        """

    @abstractmethod
    async def expired(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose time is over and which no process is at work on."""

    @abstractmethod
    async def due(self, now: datetime, limit: int = BATCH) -> list[Record]:
        """Find records whose verdict is to be delivered, by `is_due`; the longest due first."""

    @abstractmethod
    async def owned_by(self, owner: str) -> list[Record]:
        """Find the records that a process is at work on."""

    @abstractmethod
    async def beat(self, owner: str) -> None:
        """Tell that a process lives: count one more."""

    @abstractmethod
    async def beats(self) -> dict[str, int]:
        """How often each process has told so; one that stays at its number is in trouble.

        No time is kept, so that neither clocks which differ or jump, nor a store that was away
        for a while, make processes look dead.
        """

    @abstractmethod
    async def retire(self, owner: str) -> None:
        """Forget a process."""

    @abstractmethod
    async def hit(self, key: str, *, limit: int, window: float) -> float:
        """Count one more hit, if fewer than `limit` were counted in the last `window` seconds.

        Returns 0.0, or the seconds after which one more will be counted. Whatever stands behind
        `key` is the caller's: a digest where it belongs to a person.
        """

    @abstractmethod
    async def lock(self, key: str, seconds: float) -> None:
        """Lock something for a while."""

    @abstractmethod
    async def locked(self, key: str) -> float:
        """For how many more seconds it is locked; 0.0 when it is not."""

    @abstractmethod
    async def publish_key(self, kid: str, jwk: Mapping[str, Any], expires_at: datetime) -> None:
        """Let every process know a public key, in place of the one of that name."""

    @abstractmethod
    async def keys(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The public keys by their names; those that have expired are forgotten."""

    @abstractmethod
    async def put_picture(self, session_id: str, name: str, data: bytes) -> None:
        """Keep a picture of a session, unless that was deleted."""

    @abstractmethod
    async def pictures(self, session_id: str) -> list[str]:
        """The names of a session's pictures, sorted."""

    @abstractmethod
    async def picture(self, session_id: str, name: str) -> bytes | None:
        """Find a picture."""

    @abstractmethod
    async def ping(self) -> None:
        """Find out whether the store can be written to."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it; nothing may be asked of it afterwards."""


def is_due(due_at: datetime | None, now: datetime) -> bool:
    """Whether a delivery is to be tried."""
    return due_at is not None and not now < due_at <= now + FARTHEST


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return round(moment.astimezone(UTC).timestamp() * 1e6)


def wait_for_room(times: list[float], now: float, *, limit: int, window: float) -> float:
    """Seconds until one more hit may be counted; `times` are of those that were, newest first.

    Hits in the future, of a clock that was set back, do not count.
    """
    if len(times) < limit or not times[limit - 1] <= now < times[limit - 1] + window:
        return 0.0
    return times[limit - 1] + window - now
