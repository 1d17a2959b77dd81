"""Where sessions and their verdicts are kept."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from liveness.challenge.names import Challenge
from liveness.verdict import Verdict


class Status(StrEnum):
    """How far a session has come."""

    CREATED = "created"
    CONNECTED = "connected"
    RUNNING = "running"
    FINISHED = "finished"
    EXPIRED = "expired"


class Record(BaseModel):
    """What is kept of a session. No picture, and of the token only its digest.

    `expires_at`: until when a created session may be used, or a finished one be read.
    `entity_tag`: of its WHIP resource, while there is one.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    token_digest: str
    challenges: tuple[Challenge, ...] | None
    status: Status
    created_at: datetime
    expires_at: datetime
    entity_tag: str | None = None
    verdict: Verdict | None = None


class Store(Protocol):
    """Keeps records. Every method may be called at any time, by several tasks."""

    async def put(self, record: Record) -> None:
        """Keep a record, in place of the one with the same `id`."""

    async def get(self, session_id: str) -> Record | None:
        """Find a record."""

    async def find(self, token_digest: str) -> Record | None:
        """Find the record that a token belongs to."""

    async def delete(self, session_id: str) -> None:
        """Forget a record."""

    async def expired(self, now: datetime) -> Collection[Record]:
        """Find the records whose time is over."""
