"""What relying parties do with their keys, each with its own sessions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestServer

from liveness.api.http import STORE
from liveness.app import create_app
from liveness.errors import SettingsInvalid
from liveness.limits import MOST_GUESSES
from tests.integration.plain import (
    LOOPBACK,
    Plain,
    bearer,
    publish,
    reach,
    serving,
    settings,
    show,
)

BANK, SHOP, PLAIN = "bank-key-of-43-characters", "shop-key-of-43-characters", "key-without-a-name"
KEYS = (f"bank:{BANK}", f"shop:{SHOP}", PLAIN)


def keyed(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def make(client: ClientSession, key: str = BANK, **wanted: Any) -> dict[str, Any]:
    async with client.post("/api/sessions", json=wanted, headers=keyed(key)) as response:
        assert response.status == 201, await response.text()
        made: dict[str, Any] = await response.json()
        return made


async def listed(client: ClientSession, key: str = BANK, **query: Any) -> dict[str, Any]:
    async with client.get("/api/sessions", params=query, headers=keyed(key)) as response:
        assert response.status == 200, await response.text()
        page: dict[str, Any] = await response.json()
        return page


async def problem(response: ClientResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    return response.status, (await response.json())["code"]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving(api_key=KEYS, rate_per_address=0) as client:
        yield client


@pytest.mark.parametrize(
    "header", [None, "Bearer x", f"Basic {BANK}", f"Bearer bank:{BANK}", "Bearer \udcff", "Bearer"]
)
async def test_without_a_key_there_is_no_session(client: ClientSession, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("POST", "/api/sessions"), ("GET", "/api/sessions")):
        response = await client.request(method, path, headers=headers)
        assert await problem(response) == (401, "unauthorized")
        assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize("key", [BANK, SHOP, PLAIN])
async def test_every_key_makes_sessions_and_erases_them(client: ClientSession, key: str) -> None:
    session = await make(client, key)
    path = f"/api/sessions/{session['id']}"
    assert (await client.get(path, headers=keyed(key))).status == 200
    assert (await client.get(path)).status == 401
    assert (await client.delete(path, headers=keyed(key))).status == 204
    assert (await client.get(path, headers=keyed(key))).status == 404
    assert (await client.get(path, headers=bearer(session))).status == 404


async def test_a_party_has_nothing_to_do_with_the_sessions_of_others(client: ClientSession) -> None:
    session = await make(client, BANK)
    path = f"/api/sessions/{session['id']}"
    for key in (SHOP, PLAIN):
        for method in ("GET", "DELETE"):
            response = await client.request(method, path, headers=keyed(key))
            assert await problem(response) == (404, "not_found")
        assert (await listed(client, key))["sessions"] == []
    assert [each["id"] for each in (await listed(client))["sessions"]] == [session["id"]]


async def test_the_session_token_reads_and_does_not_erase(client: ClientSession) -> None:
    session, other = await make(client), await make(client)
    path = f"/api/sessions/{session['id']}"
    assert (await client.get(path, headers=bearer(session))).status == 200
    assert (await client.get(path, headers=bearer(other))).status == 401
    response = await client.delete(path, headers=bearer(session))
    assert await problem(response) == (401, "unauthorized")
    assert (await client.post("/api/sessions", headers=bearer(session))).status == 401


async def test_the_session_token_ends_soon() -> None:
    app = create_app(settings(api_key=KEYS, time_limit=60))
    async with (
        TestServer(app, host=LOOPBACK) as server,
        ClientSession(server.make_url("/")) as client,
    ):
        session = await make(client)
        path = f"/api/sessions/{session['id']}"
        for minutes, status in ((20, 200), (22, 401)):
            created = datetime.now(UTC) - timedelta(minutes=minutes)
            await app[STORE].change(session["id"], {"created_at": created}, when=lambda _: True)
            assert (await client.get(path, headers=bearer(session))).status == status
            assert (await client.get(path, headers=keyed(BANK))).status == 200


async def test_sessions_are_listed_by_status_in_pages(client: ClientSession) -> None:
    made = [(await make(client))["id"] for _ in range(5)]
    await make(client, SHOP)
    seen, page = [], await listed(client, limit=2)
    while page["after"] is not None:
        seen += page["sessions"]
        page = await listed(client, limit=2, after=page["after"])
    seen += page["sessions"]
    assert [each["id"] for each in seen] == made[::-1]
    assert set(seen[0]) == {"id", "status", "created_at", "expires_at", "verdict"}
    assert len((await listed(client, status="created"))["sessions"]) == 5
    assert await listed(client, status="finished") == {"sessions": [], "after": None}


async def test_a_finished_session_is_listed_with_its_verdict(client: ClientSession) -> None:
    session = await make(client, metadata={"case": 7})
    peer = await publish(client, session)
    await reach(client, session, "running")
    assert [each["id"] for each in (await listed(client, status="running"))["sessions"]]
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    [shown] = (await listed(client, status="finished"))["sessions"]
    assert shown == await show(client, session)
    assert (shown["verdict"]["reasons"], shown["metadata"]) == (["peer_left"], {"case": 7})
    await peer.close()


@pytest.mark.parametrize(
    "query",
    [{"status": "over"}, {"limit": "0"}, {"limit": "1000"}, {"after": "x"}, {"page": "2"}],
)
async def test_a_list_that_cannot_be(client: ClientSession, query: dict[str, str]) -> None:
    response = await client.get("/api/sessions", params=query, headers=keyed(BANK))
    assert await problem(response) == (422, "unprocessable")


async def test_a_server_without_keys_lists_nobodys_sessions() -> None:
    async with serving() as client:
        assert await problem(await client.get("/api/sessions")) == (401, "unauthorized")


async def test_a_person_may_be_sent_to_any_secure_address(client: ClientSession) -> None:
    session = await make(
        client, success_url="https://bank.example", failure_url="https://b.example/x"
    )
    shown = await show(client, session)
    assert shown["success_url"] == "https://bank.example/"
    assert shown["failure_url"] == "https://b.example/x"


async def test_the_page_is_told_whether_it_needs_a_link(client: ClientSession) -> None:
    about = await (await client.get("/api/page")).json()
    assert about == {"needs_link": True, "frame_origins": [], "keeps_pictures": False}
    async with serving(frame_origin=("https://Bank.example:443",)) as other:
        about = await (await other.get("/api/page")).json()
        assert about["frame_origins"] == ["https://bank.example"]
        assert not about["needs_link"]
        policy = (await other.get("/")).headers["Content-Security-Policy"]
        assert policy.endswith("frame-ancestors 'self' https://bank.example")


async def test_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# the parties\nbank:{BANK}\n")
    path.chmod(0o600)
    async with serving(api_key=(SHOP,), api_key_file=path) as client:
        for key in (BANK, SHOP):
            await make(client, key)
        assert (await client.post("/api/sessions")).status == 401
    path.chmod(0o604)
    with pytest.raises(SettingsInvalid, match="open to everybody"):
        create_app(settings(api_key_file=path))


async def test_a_key_makes_so_many_sessions_a_minute() -> None:
    async with serving(api_key=KEYS, rate_per_key=2) as client:
        for _ in range(2):
            await make(client)
        response = await client.post("/api/sessions", headers=keyed(BANK))
        assert await problem(response) == (429, "rate_limited")
        assert 50 <= int(response.headers["Retry-After"]) <= 60
        await make(client, SHOP)


@pytest.mark.parametrize(
    ("changed", "told", "apart"),
    [
        ({}, "192.0.2.{}", True),
        ({}, "192.0.2.{}, 127.0.0.1", True),
        ({}, "::ffff:192.0.2.{}", True),
        ({}, "192.0.2.{}, ::ffff:127.0.0.1", True),
        ({}, "2001:db8::{}", False),
        ({}, "192.0.2.{}, 198.51.100.7", False),
        ({}, "someone{}", False),
        ({"trusted_proxy": ("10.0.0.0/8",)}, "192.0.2.{}", False),
        ({"trusted_proxy": ("127.0.0.1", "198.51.100.0/24")}, "192.0.2.{},198.51.100.7", True),
    ],
)
async def test_an_address_makes_so_many_and_a_proxy_tells_it(
    changed: dict[str, Any], told: str, *, apart: bool
) -> None:
    async with serving(rate_per_address=1, **changed) as client:
        statuses = []
        for number in (1, 2, 2):
            headers = {"X-Forwarded-For": told.format(number)}
            statuses.append((await client.post("/api/sessions", headers=headers)).status)
        assert statuses == ([201, 201, 429] if apart else [201, 429, 429])


async def test_who_guesses_keys_is_told_to_wait_and_others_are_not() -> None:
    here, there = ({"X-Forwarded-For": f"192.0.2.{number}"} for number in (1, 2))
    async with serving(api_key=KEYS) as client:
        session = await make(client)
        path = f"/api/sessions/{session['id']}"
        calls = [("POST", "/api/sessions"), ("GET", "/api/sessions"), ("DELETE", path)]
        answers = []
        for number in range(MOST_GUESSES + 5):
            method, where = calls[number % len(calls)]
            headers = keyed(f"guess {number}") | here
            async with client.request(method, where, headers=headers) as response:
                answers.append(response.status)
        assert answers == [401] * (MOST_GUESSES + 1) + [429] * 4
        refused = await client.get("/api/sessions", headers=keyed(BANK) | here)
        assert await problem(refused) == (429, "rate_limited")
        assert 50 <= int(refused.headers["Retry-After"]) <= 60
        assert (await client.get("/api/sessions", headers=keyed(BANK) | there)).status == 200
        assert (await client.post("/api/sessions", headers=here)).status == 401, "no guess"
        peer = Plain()
        headers = bearer(session) | here | {"Content-Type": "application/sdp"}
        published = await client.post("/whip", data=await peer.offer(), headers=headers)
        await peer.close()
        assert published.status == 201, "the person has done nothing"


async def test_who_fails_too_often_is_locked_and_others_are_not() -> None:
    jane, john = {"subject": "Jane"}, {"subject": "John"}
    async with serving(api_key=KEYS, subject_failures=2, subject_lock=60) as client:
        spare = await make(client, metadata=jane)
        for _ in range(2):
            session = await make(client, metadata=jane)
            peer = await publish(client, session)
            await reach(client, session, "running")
            await client.delete(f"/whip/{session['id']}", headers=bearer(session))
            await peer.close()
        body = {"metadata": jane}
        response = await client.post("/api/sessions", json=body, headers=keyed(BANK))
        assert await problem(response) == (429, "subject_locked")
        assert 50 <= int(response.headers["Retry-After"]) <= 60
        await make(client, metadata=john)
        await make(client, SHOP, metadata=jane)
        headers = bearer(spare) | {"Content-Type": "application/sdp"}
        peer = Plain()
        refused = await client.post("/whip", data=await peer.offer(), headers=headers)
        await peer.close()
        assert await problem(refused) == (429, "subject_locked")
        assert (await show(client, spare))["status"] == "created"


async def test_ids_that_nobody_has_are_not_found(client: ClientSession) -> None:
    response = await client.get(f"/api/sessions/{uuid4()}", headers=keyed(BANK))
    assert await problem(response) == (404, "not_found")
