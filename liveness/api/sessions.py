"""The API of relying parties: make a session, read its verdict, delete it."""

from datetime import datetime
from http import HTTPStatus

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liveness.api.http import (
    REGISTRY,
    SETTINGS,
    base_url,
    bearer,
    expect_type,
    has_key,
    read_text,
)
from liveness.api.whip import ENDPOINT
from liveness.challenge.names import Challenge
from liveness.challenge.plan import MOST_CHALLENGES
from liveness.errors import InvalidBody, Unauthorized, Unservable
from liveness.registry import digest
from liveness.store import Record, Status
from liveness.verdict import Verdict

MAX_REQUEST = 4 * 1024
"""Bytes; eight challenges take a hundred."""

routes = web.RouteTableDef()


class Wanted(BaseModel):
    """What a relying party may ask for."""

    model_config = ConfigDict(extra="forbid")

    challenges: tuple[Challenge, ...] | None = Field(None, min_length=1, max_length=MOST_CHALLENGES)


class Created(BaseModel):
    """What it gets: `page_url` is for the person, the rest for a client of its own."""

    id: str
    token: str
    whip_url: str
    page_url: str
    expires_at: datetime


class Shown(BaseModel):
    """What can be read of a session."""

    id: str
    status: Status
    created_at: datetime
    expires_at: datetime
    verdict: Verdict | None


@routes.post("/api/sessions")
async def create(request: web.Request) -> web.Response:
    """Make a session."""
    if request.app[SETTINGS].api_key and not has_key(request, bearer(request)):
        raise Unauthorized("The API key is unknown")
    wanted = _wanted(request, await read_text(request, MAX_REQUEST))
    record, token = await request.app[REGISTRY].create(wanted.challenges)
    created = Created(
        id=record.id,
        token=token,
        whip_url=ENDPOINT,
        # In the fragment, so that it stays out of logs and referrers.
        page_url=f"{base_url(request)}/#session={record.id}&token={token}",
        expires_at=record.expires_at,
    )
    return _json(created, HTTPStatus.CREATED)


@routes.get("/api/sessions/{id}")
async def show(request: web.Request) -> web.Response:
    """Read a session and, once there is one, its verdict."""
    record = await _authorized(request)
    return _json(Shown(**record.model_dump(include=set(Shown.model_fields))), HTTPStatus.OK)


@routes.delete("/api/sessions/{id}")
async def delete(request: web.Request) -> web.Response:
    """End a session and forget it."""
    record = await _authorized(request)
    await request.app[REGISTRY].delete(record.id)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _wanted(request: web.Request, text: str) -> Wanted:
    if not text.strip():
        return Wanted(challenges=None)
    expect_type(request, "application/json")
    try:
        return Wanted.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise InvalidBody("The body is not JSON") from None
        where = ".".join(str(part) for part in first["loc"])
        raise Unservable(f"{where}: {first['msg']}" if where else first["msg"]) from None


async def _authorized(request: web.Request) -> Record:
    """Find a session for a relying party with an API key, or for whoever holds its token."""
    token = bearer(request)
    registry = request.app[REGISTRY]
    record = await registry.get(request.match_info["id"])
    if not has_key(request, token) and record.token_digest != digest(token):
        raise Unauthorized("The token is neither an API key nor this session's")
    return record


def _json(model: BaseModel, status: HTTPStatus) -> web.Response:
    return web.Response(
        status=status,
        text=model.model_dump_json(),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )
