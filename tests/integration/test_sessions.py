import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from liveness.api.http import REGISTRY
from liveness.app import create_app
from liveness.registry import UNUSED_LIFETIME
from tests.integration.plain import (
    LOOPBACK,
    bearer,
    create,
    post,
    publish,
    reach,
    serving,
    settings,
    show,
)


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving() as client:
        yield client


async def test_a_session_is_made_and_read(client: ClientSession) -> None:
    response = await client.post("/api/sessions")
    assert response.status == 201
    session = await response.json()
    assert set(session) == {"id", "token", "whip_url", "page_url", "expires_at"}
    assert session["whip_url"] == "/whip"
    origin = str(response.url.origin())
    fragment = f"session={session['id']}&token={session['token']}"
    assert session["page_url"] == f"{origin}/#{fragment}"
    shown = await show(client, session)
    assert set(shown) == {"id", "status", "created_at", "expires_at", "verdict"}
    assert (shown["id"], shown["status"], shown["verdict"]) == (session["id"], "created", None)
    assert shown["expires_at"] == session["expires_at"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "invalid_body"),
        ("[]", 422, "unprocessable"),
        ('{"challenges": ["jump"]}', 422, "unprocessable"),
        ('{"challenges": []}', 422, "unprocessable"),
        ('{"challenges": "front"}', 422, "unprocessable"),
        ('{"challenge": ["front"]}', 422, "unprocessable"),
        ('{"challenges": [' + '"front", ' * 16 + '"front"]}', 422, "unprocessable"),
        ('{"challenges": "' + "x" * 9000 + '"}', 413, "too_large"),
        ('{"time_limit": 121}', 422, "unprocessable"),
        ('{"metadata": {"a": []}}', 422, "unprocessable"),
        ('{"success_url": "http://bank.example/"}', 422, "unprocessable"),
        ('{"success_url": "https://bank.example/"}', 422, "unprocessable"),
    ],
)
async def test_what_cannot_be_asked(
    client: ClientSession, body: str, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.post("/api/sessions", data=body, headers=headers)
    assert (response.status, (await response.json())["code"]) == (status, code)
    assert response.content_type == "application/problem+json"


async def test_another_type_is_refused(client: ClientSession) -> None:
    response = await client.post("/api/sessions", data={"challenges": "front"})
    assert (response.status, (await response.json())["code"]) == (415, "wrong_type")


async def test_a_list_is_run_as_given_with_front_first(client: ClientSession) -> None:
    session = await create(client, challenges=["blink", "left", "left"])
    peer = await publish(client, session)
    await reach(client, session, "running")
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    verdict = (await show(client, session))["verdict"]
    asked = [each["challenge"] for each in verdict["challenges"]]
    assert asked == ["front", "blink", "left", "left"]
    await peer.close()


async def test_a_session_is_read_with_its_own_token_only(client: ClientSession) -> None:
    session, other = await create(client), await create(client)
    path = f"/api/sessions/{session['id']}"
    for method in ("GET", "DELETE"):
        for headers in ({}, bearer(other), {"Authorization": "Basic x"}):
            response = await client.request(method, path, headers=headers)
            assert response.status == 401
            assert "WWW-Authenticate" in response.headers
    assert (await client.get("/api/sessions/none", headers=bearer(session))).status == 404


async def test_what_was_given_is_told(client: ClientSession) -> None:
    given = {
        "metadata": {"subject": "Jane", "case": 7, "urgent": True, "score": 0.5},
        "success_url": "http://localhost:3000/done?step=2",
        "failure_url": "http://127.0.0.1:3000/",
        "time_limit": 30.0,
    }
    shown = await show(client, await create(client, **given))
    assert {name: shown[name] for name in given} == given


async def test_a_session_has_a_time_limit_of_its_own(client: ClientSession) -> None:
    session = await create(client, time_limit=1)
    peer = await publish(client, session)
    await asyncio.wait_for(peer.closed.wait(), 10)
    verdict = (await show(client, session))["verdict"]
    assert (verdict["verdict"], verdict["reasons"]) == ("incomplete", ["time_limit"])
    await peer.close()


async def test_deleting_ends_the_media_and_forgets(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    path = f"/api/sessions/{session['id']}"
    assert (await client.delete(path, headers=bearer(session))).status == 204
    assert (await client.get(path, headers=bearer(session))).status == 404
    await asyncio.wait_for(peer.closed.wait(), 2)
    last = ""
    while not peer.messages.empty():
        last = peer.messages.get_nowait()
    assert '"reasons":["deleted"]' in last
    await peer.close()


async def test_sessions_that_nobody_uses_expire() -> None:
    app = create_app(settings())
    async with (
        TestServer(app, host=LOOPBACK) as server,
        ClientSession(server.make_url("/")) as client,
    ):
        session = await create(client)
        later = datetime.now(UTC) + UNUSED_LIFETIME + timedelta(seconds=1)
        await app[REGISTRY].ledger.sweep(later)
        assert (await show(client, session))["status"] == "expired"
        assert (await post(client, session, "v=0")).status == 401
        await app[REGISTRY].ledger.sweep(later + timedelta(days=1))
        path = f"/api/sessions/{session['id']}"
        assert (await client.get(path, headers=bearer(session))).status == 404


async def test_a_proxy_says_where_the_page_is(client: ClientSession) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "check.example:8443"}
    session = await (await client.post("/api/sessions", headers=headers)).json()
    assert session["page_url"].startswith("https://check.example:8443/#session=")
