"""One of two workers, whose fellow is absent, silent, or answered for by the test."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from liveness import board
from liveness.api.http import STORE
from liveness.board import Board
from liveness.relay import REMOTE, SCHEME, Relay
from liveness.seat import Seat, door
from liveness.testing.portrait import Portrait
from liveness.worker import Serving, listening
from tests.integration.plain import bearer, create, publish, reach, settings
from tests.stills import FRAME, UPLOAD, Poser, ask, form

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
def seats(tmp_path: Path) -> list[Seat]:
    """The worker's and its fellow's, which seems to have room."""
    board.create(tmp_path, 2)
    node = Seat().node
    seats = [Seat(node, slot, 2, tmp_path) for slot in range(2)]
    Board(seats[1]).tell(0)
    return seats


@pytest_asyncio.fixture
async def worker(seats: list[Seat]) -> AsyncIterator[Serving]:
    async with listening(settings(store="sqlite", port=0), seats[0]) as serving:
        Board(seats[0]).tell(1)
        yield serving


@pytest_asyncio.fixture
async def client(worker: Serving) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"http://127.0.0.1:{worker.port}") as client:
        yield client


@dataclass
class Fellow:
    """What it was asked, and what it answers."""

    answer: Callable[[], web.Response] = lambda: web.Response(text="answer")
    asked: web.Request | None = None
    body: bytes = b""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        assert isinstance(request, web.Request)
        self.asked, self.body = request, await request.read()
        return self.answer()


@asynccontextmanager
async def answered_for(seat: Seat) -> AsyncIterator[Fellow]:
    fellow, app = Fellow(), web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", fellow.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    assert seat.folder is not None
    await web.UnixSite(runner, door(seat.folder, seat.slot)).start()
    try:
        yield fellow
    finally:
        await runner.cleanup()


def kept_by(seat: Seat) -> str:
    """A session's name that this worker remembers."""
    link = Relay(Board(seat), 1)
    return next(name for name in map(str, range(99)) if link.keeper(f"session:{name}") == seat.slot)


async def test_a_request_is_sent_on_as_it_is(client: ClientSession, seats: list[Seat]) -> None:
    async with answered_for(seats[1]) as fellow:
        headers = CIMultiDict({"Cookie": "a=b", "X-One": "1", REMOTE: "forged", SCHEME: "forged"})
        headers.add("X-One", "2")
        headers["Origin"] = "https://shop.example"
        headers["Content-Type"] = "application/sdp"
        answer = web.Response(status=201, headers={"ETag": '"x"', "Location": "/whip/1"})
        answer.set_cookie("one", "1")
        answer.set_cookie("two", "2")
        fellow.answer = lambda: answer
        response = await client.post("/whip?a=%26&a=b", data=b"offer", headers=headers)
        assert fellow.asked is not None
        assert (fellow.asked.method, fellow.asked.path_qs) == ("POST", "/whip?a=%26&a=b")
        assert fellow.body == b"offer"
        assert fellow.asked.headers.getall("X-One") == ["1", "2"]
        assert fellow.asked.headers["Host"] == response.url.authority
        assert (fellow.asked.headers[REMOTE], fellow.asked.headers[SCHEME]) == ("127.0.0.1", "http")
        assert (response.status, await response.read()) == (201, b"")
        assert (response.headers["ETag"], response.headers["Location"]) == ('"x"', "/whip/1")
        assert set(response.cookies) == {"one", "two"}
        for name in ("Access-Control-Allow-Origin", "Server", "Date"):
            assert len(response.headers.getall(name)) == 1


async def test_bodies_of_any_form_arrive(client: ClientSession, seats: list[Seat]) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"of", b"", b"fer"):
            yield part
            await asyncio.sleep(0.01)

    async with answered_for(seats[1]) as fellow:
        for sent, headers in (
            (parts(), {}),
            (gzip.compress(b"offer"), {"Content-Encoding": "gzip"}),
            (b"offer", {"Expect": "100-continue"}),
        ):
            assert (await client.post("/whip", data=sent, headers=headers)).status == 200
            assert fellow.body == b"offer"


async def test_pictures_go_to_whoever_remembers_the_client(
    client: ClientSession, seats: list[Seat], portrait: Portrait
) -> None:
    sent = Poser(portrait).frame("front")
    body = json.dumps(sent | {"session": kept_by(seats[1])}).encode()
    headers = {"Content-Type": "application/json"}
    async with answered_for(seats[1]) as fellow:
        fellow.answer = partial(web.json_response, {"success": True})
        packed = headers | {"Content-Encoding": "gzip"}
        assert await ask(client, FRAME, data=gzip.compress(body), headers=packed) == (
            200,
            {"success": True},
        )
        assert fellow.body == body
        fellow.asked = None
        _, answer = await ask(client, FRAME, json=sent | {"session": kept_by(seats[0])})
        assert answer["message"] == "Face centered and looking at camera!"
        assert fellow.asked is None
        picture = form(Poser(portrait).photograph(), session=kept_by(seats[1]))
        assert await ask(client, UPLOAD, data=picture) == (200, {"success": True})
        assert b'name="picture"' in fellow.body
    # It has died, and remembers nobody.
    status, answer = await ask(client, FRAME, data=body, headers=headers)
    assert (status, answer["success"]) == (200, True)


async def test_sessions_are_taken_here_while_the_fellow_is_gone(
    client: ClientSession, seats: list[Seat]
) -> None:
    session = await create(client)
    peer = await publish(client, session)
    await reach(client, session, "running")
    assert Board(seats[0]).loads() == [1, 0]
    await client.delete(f"/whip/{session['id']}", headers=bearer(session))
    assert Board(seats[0]).loads() == [0, 0]
    await peer.close()


async def test_one_that_is_about_to_end_is_stood_in_for(
    client: ClientSession, seats: list[Seat]
) -> None:
    Board(seats[0]).tell(None)
    async with answered_for(seats[1]) as fellow:
        for method, path in (("POST", "/api/sessions"), ("GET", "/readyz"), ("POST", "/whip")):
            assert await (await client.request(method, path)).text() == "answer"
            assert fellow.asked is not None
            assert (fellow.asked.method, fellow.asked.path) == (method, path)
        fellow.asked = None
        Board(seats[1]).tell(None)  # the whole node ends
        assert (await client.post("/api/sessions")).status == 201
        assert fellow.asked is None


async def test_of_a_silent_owner_sessions_can_be_ended_but_not_reached(
    client: ClientSession, worker: Serving, seats: list[Seat]
) -> None:
    """Gone, or breaking off in the middle of its answer."""

    async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")
        writer.close()

    for breaking in (False, True):
        fellow = None
        if breaking:
            fellow = await asyncio.start_unix_server(break_off, door(seats[1].folder or Path(), 1))
        left, erased = [await create(client) for _ in range(2)]
        for session in (left, erased):
            fields: dict[str, Any] = {"owner": seats[1].owner, "entity_tag": "x"}
            await worker.app[STORE].change(session["id"], fields, when=lambda _: True)
            path, sent = f"/whip/{session['id']}", bearer(session) | FRAGMENT
            async with client.patch(path, data="a=candidate:x", headers=sent) as response:
                assert response.status == 503
                assert response.headers["Retry-After"]
                assert (await response.json())["code"] == "owner_silent"
        path = f"/whip/{left['id']}"
        assert (await client.delete(path, headers=bearer(left))).status == 200
        path = f"/api/sessions/{erased['id']}"
        assert (await client.delete(path, headers=bearer(erased))).status == 204
        if fellow is not None:
            sent = bearer(left) | {"Content-Type": "application/sdp"}
            assert (await client.post("/whip", data="offer", headers=sent)).status == 503
            fellow.close()
            await fellow.wait_closed()
