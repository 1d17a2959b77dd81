import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from liveness.scores import WINDOW
from liveness.testing.fixtures import ServerFactory
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import bearer, create, publish, reach, serving
from tests.stills import FRAME, FRAMES, UPLOAD, Poser, ask, form


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
    for status in ("created", "connected", "running", "finished"):
        assert f'liveness_sessions_reached_total{{status="{status}"}} 1.0' in text
    await asyncio.sleep(1)
    assert await count(client, "liveness_resident_bytes") > 50e6
    assert await count(client, "liveness_open_files") > 10
    assert await count(client, "liveness_cpu_seconds_total") > 0
    await peer.close()


async def count(client: ClientSession, name: str, **labels: str) -> float:
    """Read one number of what is counted; 0 where nothing has been."""
    text = await (await client.get("/metrics")).text()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return sum(each.value for each in samples if (each.name, each.labels) == (name, labels))


async def test_calls_are_counted_by_what_came_of_them(
    portrait: Portrait, spoof_models: Path
) -> None:
    poser, calls = Poser(portrait), "liveness_rest_calls_total"
    async with serving(model_dir=spoof_models) as client:
        front, right = poser.frame("front"), poser.frame("right")
        await ask(client, FRAME, json=front)
        await ask(client, FRAME, json=right)
        for name in ("front door", "back door"):
            await ask(client, FRAME, json=front | {"challenge": name})
        await ask(client, FRAME, data=b"no JSON")
        await ask(client, FRAMES, json={"frames": [front]})
        await ask(client, UPLOAD, data=form(poser.photograph()))
        await ask(client, UPLOAD, data=form(b"no picture"))
        await client.get("/download-model?status")
        for call, outcome, times in (
            ("process-frame", "passed", 1),
            ("process-frame", "not_passed", 1),
            ("process-frame", "invalid_body", 2),
            ("process-frame", "wrong_type", 1),
            ("liveness-detection", "passed", 1),
            ("upload", "real", 1),
            ("upload", "invalid_picture", 1),
            ("download-model", "status", 1),
        ):
            assert await count(client, calls, call=call, outcome=outcome) == times, (call, outcome)
        assert await count(client, "liveness_spoof_score_count", source="upload") == 1
        assert await count(client, "liveness_spoof_score_sum", source="upload") > 0.5


async def test_scores_and_compared_faces_of_sessions_are_counted(
    liveness_servers: ServerFactory, portrait: Portrait, spoof_models: Path
) -> None:
    server = await liveness_servers(model_dir=spoof_models)
    check = await server.check(Puppet(portrait))
    assert check.verdict.verdict == "live"
    async with ClientSession(server.url) as client:
        assert await count(client, "liveness_spoof_score_count", source="session") >= WINDOW
        compared = await count(client, "liveness_face_distance_count")
        assert compared >= 1
        assert await count(client, "liveness_face_distance_bucket", le="0.55") == compared
        stages = {"decode", "detect", "landmarks", "pose", "quality", "decide"}
        for stage in stages | {"score", "compare"}:
            assert await count(client, "liveness_stage_seconds_count", stage=stage) >= 1, stage
        frames = await count(client, "liveness_frames_total", fate="measured")
        assert await count(client, "liveness_stage_seconds_count", stage="quality") == frames


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
