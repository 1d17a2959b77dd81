"""Several processes behind one port, and their ends."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import psutil
import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession

from liveness.models import GTX_FILE
from liveness.seat import Owner
from liveness.store import Store
from liveness.store.sqlite import SqliteStore
from liveness.testing.peer import HeadlessPeer
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import Plain, bearer, create, publish, reach, show
from tests.integration.program import Program, free_port
from tests.integration.test_operations import count
from tests.source import NAME, Source, serving_source
from tests.stills import FRAME, UPLOAD, Poser, ask, form

CANDIDATE = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
WORKERS = 2

SOURCE_PORT = free_port()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, spoof_models: Path) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("workers")
    shutil.copytree(spoof_models, folder / "model")
    models = ("--model-dir", str(folder / "model"))
    source = ("--model-url", f"http://127.0.0.1:{SOURCE_PORT}/{NAME}")
    with Program(folder, "--workers", str(WORKERS), *models, *source).begin() as program:
        yield program.ready()


@pytest_asyncio.fixture
async def client(program: Program) -> AsyncIterator[ClientSession]:
    async with program.client() as client:
        yield client


@pytest_asyncio.fixture
async def store(program: Program) -> AsyncIterator[Store]:
    store = await SqliteStore.open(program.folder / "data" / "liveness.db")
    yield store
    await store.close()


async def slot(store: Store, session: dict[str, Any]) -> int:
    """Which worker has a session."""
    record = await store.get(session["id"])
    assert record is not None
    owner = Owner.parse(record.owner or "")
    assert owner is not None
    return owner.slot


@asynccontextmanager
async def publishing(client: ClientSession, number: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Sessions that run. One after the other: two that come at once may choose the same worker."""
    sessions = [await create(client) for _ in range(number)]
    peers: list[Plain] = []
    try:
        for each in sessions:
            peers += [await publish(client, each)]
        for each in sessions:
            await reach(client, each, "running")
        yield sessions
    finally:
        for peer in peers:
            await peer.close()


async def test_sessions_spread_and_are_reached_through_any_worker(
    client: ClientSession, store: Store
) -> None:
    created = await count(client, "liveness_sessions_created_total")
    async with publishing(client, 6) as sessions:
        assert Counter([await slot(store, each) for each in sessions]) == {0: 3, 1: 3}
        for _ in range(5):  # whichever worker it is that tells
            assert await count(client, "liveness_sessions_created_total") == created + 6
            assert await count(client, "liveness_sessions_running") == 6
        for session in sessions:
            path, sent = f"/whip/{session['id']}", bearer(session) | FRAGMENT
            for fragment, status in ((CANDIDATE, 204), ("none", 400), ("a=b" * 10_000, 413)) * 2:
                assert (await client.patch(path, data=fragment, headers=sent)).status == status
        for session in sessions[:3]:
            # Over when it is answered: who has the session was told, and need not find out.
            await client.delete(f"/whip/{session['id']}", headers=bearer(session))
            assert (await show(client, session))["verdict"]["reasons"] == ["peer_left"]
        for session in sessions[3:]:
            path = f"/api/sessions/{session['id']}"
            assert (await client.delete(path, headers=bearer(session))).status == 204
            assert (await client.get(path, headers=bearer(session))).status == 404
        assert await count(client, "liveness_sessions_running") == 0
        await asyncio.sleep(1)
        frames = await count(client, "liveness_frames_total", fate="measured")
        assert await count(client, "liveness_stage_seconds_count", stage="quality") == frames > 0


async def test_clients_of_single_pictures_are_remembered_whichever_worker_they_reach(
    program: Program, client: ClientSession, portrait: Portrait
) -> None:
    poser = Poser(portrait)
    blink = [poser.frame("blink", closure=closure) for closure in (0.0, 1.0, 0.0)]
    calls = await count(client, "liveness_rest_calls_total", call="process-frame", outcome="passed")

    async def blinks(client: ClientSession, **more: str) -> bool:
        for frame in blink:
            _, body = await ask(client, FRAME, json=frame | more)
            await asyncio.sleep(0.12)
        return bool(body["success"])

    for name in ("one", "two", "three", "four"):
        assert await blinks(client, session=name)
    for _ in range(4):
        async with program.client() as browser:  # with a cookie of its own
            assert await blinks(browser)
    picture = poser.photograph()
    averages = [await ask(client, UPLOAD, data=form(picture, session="five")) for _ in range(6)]
    assert len({body["percentage"] for _, body in averages}) == 1
    passed = await count(
        client, "liveness_rest_calls_total", call="process-frame", outcome="passed"
    )
    assert passed == calls + 8, "each is counted once"


async def test_a_worker_that_is_killed_loses_its_sessions_and_no_others(
    program: Program, client: ClientSession, store: Store, portrait: Portrait
) -> None:
    async with (
        publishing(client, 1) as (lost,),
        HeadlessPeer(program.url, Puppet(portrait)) as kept,
    ):
        slots = await slot(store, lost), await slot(store, {"id": kept.session})
        assert slots[0] != slots[1]
        program.worker(slots[0]).kill()
        began = time.monotonic()
        while (shown := await patient(client, lost))["status"] != "finished":
            assert time.monotonic() < began + 5
        told = time.monotonic() - began
        assert shown["verdict"]["verdict"] == "incomplete"
        assert shown["verdict"]["reasons"] == ["server_lost"]
        assert shown["verdict"]["token"]
        assert (await kept.check()).verdict.verdict == "live"
    while await count(client, "liveness_workers") < WORKERS:  # noqa: ASYNC110 - of others
        await asyncio.sleep(0.1)
    print(f"told after {told:.2f} s, replaced after {time.monotonic() - began:.1f} s at the most")
    async with publishing(client, 4) as sessions:
        assert Counter([await slot(store, each) for each in sessions]) == {0: 2, 1: 2}


async def patient(client: ClientSession, session: dict[str, Any]) -> dict[str, Any]:
    """Ask again where the worker that was asked was the one that died."""
    while True:
        try:
            return await show(client, session)
        except ClientError:
            await asyncio.sleep(0.01)


async def test_one_worker_fetches_weights_and_all_use_them(
    client: ClientSession, store: Store
) -> None:
    async with serving_source(Source(pause=0.5), SOURCE_PORT) as source:
        answers = await asyncio.gather(*(client.get("/download-model") for _ in range(4)))
        assert [each.status for each in answers] == [200] * 4
        assert len(source.asked) == 1
    for _ in range(4):
        assert (await (await client.get("/download-model?status")).json())["state"] == "done"
    await asyncio.sleep(1.5)
    async with publishing(client, WORKERS) as sessions:
        assert {await slot(store, each) for each in sessions} == set(range(WORKERS))
        for session in sessions:
            await client.delete(f"/whip/{session['id']}", headers=bearer(session))
            token = (await show(client, session))["verdict"]["token"]
            claims = jwt.decode(token, options={"verify_signature": False})
            assert GTX_FILE in claims["weights"]


async def test_nothing_outlives_a_supervisor_that_is_killed(
    program: Program, client: ClientSession, store: Store
) -> None:
    async with publishing(client, WORKERS) as sessions:
        processes = program.processes()
        assert len(processes) == 2 * WORKERS, "each worker has a process that describes faces"
        program.process.kill()
        began = time.monotonic()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, processes, 20)
        assert not alive
        print(f"{len(gone)} processes were gone after {time.monotonic() - began:.1f} s")
        for session in sessions:
            record = await store.get(session["id"])
            assert record is not None
            assert record.verdict is not None
            assert record.verdict.reasons == ("server_stopping",)
    assert not list(program.folder.glob("liveness-*"))
    assert b"Traceback" not in program.log.read_bytes()
