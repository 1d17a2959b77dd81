"""The API of relying parties: make a session, list them, read a verdict, erase it."""

import hmac
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel

from liveness.api.http import (
    API_KEYS,
    REGISTRY,
    SETTINGS,
    address,
    base_url,
    bearer,
    expect_type,
    read_text,
    relying_party,
)
from liveness.api.wanted import ListWanted, Wanted, read_json, read_query
from liveness.api.whip import ENDPOINT
from liveness.errors import NotFound, Unauthorized, Unservable
from liveness.links import is_loopback
from liveness.registry import UNUSED_LIFETIME, digest
from liveness.report import report
from liveness.store import Record

MAX_REQUEST = 8 * 1024
"""Bytes: two addresses of 2000, metadata of 1024, and what is about them."""

routes = web.RouteTableDef()


class Created(BaseModel):
    """What it gets: `page_url` is for the person, the rest for a client of its own."""

    id: str
    token: str
    whip_url: str
    page_url: str
    expires_at: datetime


@routes.post("/api/sessions")
async def create(request: web.Request) -> web.Response:
    """Make a session."""
    party = relying_party(request)
    wanted = _wanted(request, await read_text(request, MAX_REQUEST), party)
    registry, subject = request.app[REGISTRY], wanted.subject_digest(party)
    await registry.limits.admit(address(request), party, subject)
    record, token = await registry.create(
        challenges=wanted.challenges,
        key_name=party,
        metadata=wanted.metadata,
        subject_digest=subject,
        success_url=wanted.success_url,
        failure_url=wanted.failure_url,
        time_limit=wanted.time_limit,
    )
    created = Created(
        id=record.id,
        token=token,
        whip_url=ENDPOINT,
        # In the fragment, so that it stays out of logs and referrers.
        page_url=f"{base_url(request)}/#session={record.id}&token={token}",
        expires_at=record.expires_at,
    )
    return _json(created.model_dump(mode="json"), HTTPStatus.CREATED)


@routes.get("/api/sessions")
async def list_all(request: web.Request) -> web.Response:
    """List the sessions of a relying party, newest first; `after` leads to the next page.

    Without keys nobody is one, and the list would be everybody's.
    """
    party = relying_party(request)
    if party is None:
        raise Unauthorized("Sessions are listed for an API key, and this server has none")
    wanted = read_query(ListWanted, dict(request.query))
    page = await request.app[REGISTRY].page(
        party, wanted.status, after=wanted.after, limit=wanted.limit
    )
    told = [report(record, webhook=True) for record in page.records]
    return _json({"sessions": told, "after": page.after})


@routes.get("/api/sessions/{id}")
async def show(request: web.Request) -> web.Response:
    """Read a session and, once there is one, its verdict."""
    record, keys = await _authorized(request, by_token=True), request.app[API_KEYS]
    # How its webhook fares is nothing to whoever has no more than a session's token.
    return _json(report(record, webhook=not keys or keys.name_of(bearer(request)) is not None))


@routes.delete("/api/sessions/{id}")
async def delete(request: web.Request) -> web.Response:
    """End a session and forget it; what a relying party relies on, no other erases."""
    record = await _authorized(request, by_token=not request.app[API_KEYS])
    await request.app[REGISTRY].delete(record.id)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _wanted(request: web.Request, text: str, party: str | None) -> Wanted:
    if not text.strip():
        return Wanted()
    expect_type(request, "application/json")
    wanted = read_json(Wanted, text)
    most = request.app[SETTINGS].time_limit
    if wanted.time_limit is not None and wanted.time_limit > most:
        raise Unservable(f"time_limit: this server gives at most {most:g} seconds")
    for link in (wanted.success_url, wanted.failure_url):
        # Else anybody could make this server's page lead to theirs.
        if party is None and link is not None and not is_loopback(link):
            raise Unservable("success_url, failure_url: on this machine only, without an API key")
    return wanted


async def _authorized(request: web.Request, *, by_token: bool) -> Record:
    """Find a session for its relying party, or for whoever holds its token if that will do.

    Where there are keys the token is for the page alone, and ends soon after the video can.
    """
    token, keys = bearer(request), request.app[API_KEYS]
    party = keys.name_of(token)
    record = await request.app[REGISTRY].get(request.match_info["id"])
    if party is not None:
        if party != record.key_name:
            raise NotFound("There is no such session")
        return record
    most = timedelta(seconds=request.app[SETTINGS].time_limit) + 2 * UNUSED_LIFETIME
    is_over = bool(keys) and request.app[REGISTRY].clock.now() > record.created_at + most
    if not by_token or is_over or not hmac.compare_digest(digest(token), record.token_digest):
        raise Unauthorized("The token is neither an API key nor this session's")
    return record


def _json(body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.json_response(body, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})
