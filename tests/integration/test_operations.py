from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from tests.integration.plain import bearer, create, publish, reach, serving


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving() as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_the_server_is_well(client: ClientSession, path: str) -> None:
    assert (await client.get(path)).status == 200


async def test_what_was_done_is_counted(client: ClientSession) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    text = await (await client.get("/metrics")).text()
    assert "liveness_sessions_created_total 1.0" in text
    assert "liveness_sessions_running 1.0" in text
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    text = await (await client.get("/metrics")).text()
    assert "liveness_sessions_running 0.0" in text
    ended = 'liveness_sessions_finished_total{reason="peer_left",verdict="incomplete"} 1.0'
    assert ended in text
    assert 'liveness_frames_total{fate="measured"}' in text
    await peer.close()


async def test_the_page_may_do_what_it_needs_and_no_more(client: ClientSession) -> None:
    for path in ("/", "/success", "/static/main.js"):
        response = await client.get(path)
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=(self)" in response.headers["Permissions-Policy"]


async def test_what_is_not_there_is_a_problem(client: ClientSession) -> None:
    for path in ("/none", "/static/none.js", "/static/../server.py", "/api/none"):
        response = await client.get(path)
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert (await response.json())["code"] == "not_found"
