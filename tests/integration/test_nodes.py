"""Two nodes that share a Redis, one of them of two workers."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession

from liveness.relay import HOP
from tests.integration.plain import bearer, create, publish, reach, show
from tests.integration.program import Program, free_port
from tests.redis_server import RedisServer

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[list[Program]]:
    redis_server.empty()
    with ExitStack() as stack:
        nodes = []
        for workers in ("1", "2"):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            arguments = ("--store", redis_server.url, "--node-url", url, "--workers", workers)
            node = Program(tmp_path_factory.mktemp("node"), *arguments, port=port)
            nodes.append(stack.enter_context(node.begin()))
        yield [node.ready() for node in nodes]


async def trickle(client: ClientSession, session: dict[str, Any], **more: str) -> int:
    sent = bearer(session) | FRAGMENT | more
    async with client.patch(f"/whip/{session['id']}", data=CANDIDATE, headers=sent) as response:
        await response.read()
        return response.status


async def test_any_node_answers_for_any_session(nodes: list[Program]) -> None:
    async with nodes[0].client() as one, nodes[1].client() as other:
        for here, there in ((one, other), (other, one)):
            left, erased = [await create(here) for _ in range(2)]
            for session in (left, erased):
                peer = await publish(there, session)
                await reach(here, session, "running")
                # Whichever worker it reaches there, and whichever it has to reach.
                assert [await trickle(here, session) for _ in range(4)] == [204] * 4
                assert await trickle(here, session, Authorization="Bearer x") == 401
                if session is left:
                    path = f"/whip/{session['id']}"
                    assert (await here.delete(path, headers=bearer(session))).status == 200
                    shown = await show(there, session)
                    assert shown["verdict"]["reasons"] == ["peer_left"]
                else:
                    path = f"/api/sessions/{session['id']}"
                    assert (await here.delete(path, headers=bearer(session))).status == 204
                    assert (await there.get(path, headers=bearer(session))).status == 404
                await peer.close()


async def test_no_request_goes_round_in_circles(nodes: list[Program]) -> None:
    async with nodes[0].client() as one, nodes[1].client() as other:
        session = await create(one)
        peer = await publish(one, session)
        assert await trickle(other, session, **{HOP: "1"}) == 503
        assert await trickle(one, session, **{HOP: "1"}) == 204
        await peer.close()


async def test_sessions_of_a_node_that_dies_are_lost_and_others_go_on(nodes: list[Program]) -> None:
    async with nodes[0].client() as one, nodes[1].client() as other:
        kept, lost, erased = [await create(other) for _ in range(3)]
        peers = [await publish(one, kept), await publish(other, lost), await publish(other, erased)]
        for session in (kept, lost, erased):
            await reach(one, session, "running")
        for process in [psutil.Process(nodes[1].process.pid), *nodes[1].processes()]:
            process.kill()
        began = time.monotonic()
        # Its owner is silent. To erase it takes none.
        assert await trickle(one, lost) == 503
        path = f"/api/sessions/{erased['id']}"
        assert (await one.delete(path, headers=bearer(erased))).status == 204
        while (shown := await show(one, lost))["status"] != "finished":
            assert time.monotonic() < began + 20
            await asyncio.sleep(0.1)
        print(f"a node that died was noticed after {time.monotonic() - began:.1f} s")
        assert shown["verdict"]["reasons"] == ["server_lost"]
        assert (await show(one, kept))["status"] == "running"
        assert await trickle(one, lost) == 404
        for peer in peers:
            await peer.close()
