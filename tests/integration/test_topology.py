"""What `deploy/` describes, by hand: two nodes that share a Redis, behind haproxy."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector

from liveness.seat import Owner
from liveness.store.opening import open_store
from liveness.testing.peer import Check, HeadlessPeer, run_check
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.tls import CERTIFICATE_FILE, KEY_FILE, server_context
from tests.haproxy_server import HaproxyServer
from tests.integration.plain import show
from tests.integration.program import Program, free_port
from tests.integration.test_floods import first_state
from tests.redis_server import RedisServer

KEY = "a-key-of-the-tests-0123456789"
RELIED = {"Authorization": f"Bearer {KEY}"}
NOTICED = 20.0
"""Seconds: `upkeep.MISSED` looks and what they take, on a machine that is busy."""


class Site:
    """The whole of it."""

    def __init__(self, nodes: list[Program], balancer: HaproxyServer, redis: RedisServer) -> None:
        self.nodes = nodes
        self.balancer = balancer
        self.redis = redis

    async def owner(self, session: str) -> Program:
        """Find the node that has a session."""
        store = await open_store(self.redis.url, Path())
        record = await store.get(session)
        await store.close()
        assert record is not None
        owner = Owner.parse(record.owner or "")
        assert owner is not None
        return next(each for each in self.nodes if owner.url == each.url)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, spoof_models: Path
) -> Iterator[Site]:
    redis_server.empty()
    folder = tmp_path_factory.mktemp("balancer")
    server_context(folder)
    pem = folder / "site.pem"
    pem.write_bytes((folder / CERTIFICATE_FILE).read_bytes() + (folder / KEY_FILE).read_bytes())
    with ExitStack() as stack:
        nodes = []
        for _ in range(2):
            port = free_port()
            arguments = ("--store", redis_server.url, "--workers", "1", "--api-key", f"bank:{KEY}")
            url = ("--node-url", f"http://127.0.0.1:{port}", "--model-dir", str(spoof_models))
            node = Program(tmp_path_factory.mktemp("node"), *arguments, *url, port=port)
            nodes.append(stack.enter_context(node.begin()))
        places = [each.ready().url.removeprefix("http://") for each in nodes]
        balancer = HaproxyServer(folder, pem, (places[0], places[1]))
        assert balancer.check() == ""
        yield Site(nodes, stack.enter_context(balancer), redis_server)


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[ClientSession]:
    """A client of the balancer, with a new connection for each request."""
    connector = TCPConnector(ssl=False, force_close=True)
    async with ClientSession(site.balancer.url, connector=connector) as client:
        until = time.monotonic() + NOTICED
        while (await client.get("/readyz")).status != 200:
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
        yield client


async def create(client: ClientSession) -> dict[str, Any]:
    async with client.post("/api/sessions", headers=RELIED) as response:
        assert response.status == 201, await response.text()
        created: dict[str, Any] = await response.json()
        return created


async def test_people_pass_and_any_node_answers(
    site: Site, client: ClientSession, portrait: Portrait
) -> None:
    created = await create(client)
    assert created["page_url"].startswith(f"{site.balancer.url}/#")
    scene = Puppet(portrait)
    check = await run_check(site.balancer.url, scene, token=created["token"], ssl=False)
    assert check.verdict.verdict == "live"
    path, verdict = f"/api/sessions/{created['id']}", check.verdict.model_dump(mode="json")
    for _ in range(4):
        answer = await (await client.get(path, headers=RELIED)).json()
        assert answer["verdict"] == verdict
    for node in site.nodes:
        async with node.client() as direct:
            assert (await show(direct, created))["verdict"] == verdict
    assert (await client.delete(path, headers=RELIED)).status == 204
    assert (await client.get(path, headers=RELIED)).status == 404
    assert (await client.get("/metrics")).status == 404
    response = await client.get("/healthz")
    assert "max-age" in response.headers["Strict-Transport-Security"]


async def test_a_node_is_killed_and_the_other_goes_on(
    site: Site, client: ClientSession, portrait: Portrait
) -> None:
    sessions = [await create(client) for _ in range(2)]
    peers = [
        HeadlessPeer(
            node.url, Puppet(portrait), token=each["token"], ssl=False, ice_addresses=["127.0.0.1"]
        )
        for node, each in zip(site.nodes, sessions, strict=True)
    ]
    async with peers[0] as lost, peers[1] as kept:
        await first_state(lost, kept)
        dying = await site.owner(lost.session)
        assert dying is not await site.owner(kept.session)
        began = time.monotonic()
        for each in (*dying.processes(), psutil.Process(dying.process.pid)):
            each.kill()
        dying.__exit__()
        check: Check = await kept.check()
        assert check.verdict.verdict == "live"
        while (shown := await show(client, sessions[0]))["status"] != "finished":
            assert time.monotonic() < began + NOTICED
            await asyncio.sleep(0.1)
        told = time.monotonic() - began
    assert (shown["verdict"]["verdict"], shown["verdict"]["reasons"]) == (
        "incomplete",
        ["server_lost"],
    )
    assert shown["verdict"]["token"]
    kept_shown = await show(client, sessions[1])
    assert kept_shown["verdict"] == check.verdict.model_dump(mode="json")
    for _ in range(6):  # the balancer asks nobody who is gone
        path = f"/api/sessions/{(await create(client))['id']}"
        assert (await client.delete(path, headers=RELIED)).status == 204
    began = time.monotonic()
    dying.begin().ready()
    print(
        f"server_lost told after {told:.1f} s, back {time.monotonic() - began:.1f} s after a start"
    )
