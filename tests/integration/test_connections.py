"""Clients that connect and never ask, too many of them, and what is no HTTP."""

import asyncio
import json
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from liveness.seat import Seat
from liveness.worker import listening
from tests.integration.plain import LOOPBACK, settings
from tests.integration.program import Program

HEADER_LIMIT, KEEP_ALIVE = 0.5, 1.5
WITHIN = 10.0

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = (
    b"POST /api/sessions HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{"
)
SPARE = 8

Connect = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest_asyncio.fixture
async def connect(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Connect]:
    """Connect to a server that has little patience."""
    monkeypatch.setattr("liveness.connections.KEEP_ALIVE", KEEP_ALIVE)
    for module in ("connections", "worker"):
        monkeypatch.setattr(f"liveness.{module}.HEADER_LIMIT", HEADER_LIMIT)
    plain = getattr(request, "param", "http") == "http"
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with listening(settings(port=0, http=plain, cert_dir=tmp_path), Seat()) as serving:

        async def connect(
            *, tls: bool = not plain
        ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(
                LOOPBACK, serving.port, ssl=trusting if tls else None
            )

        yield connect


async def ended(reader: asyncio.StreamReader) -> float:
    """Wait until the server ends a connection; gives how long that took, seconds."""
    began = time.monotonic()
    async with asyncio.timeout(WITHIN):
        while await reader.read(4096):
            pass
    return time.monotonic() - began


@pytest.mark.parametrize("connect", ["http", "https"], indirect=True)
async def test_who_never_asks_is_not_waited_for(connect: Connect) -> None:
    for sent in (b"", b"\r\n", HEALTH):
        reader, writer = await connect()
        writer.write(sent)
        assert await ended(reader) > HEADER_LIMIT / 2
        writer.close()
    reader, writer = await connect(tls=False)
    await ended(reader)
    writer.close()
    reader, writer = await connect()
    writer.write(HEALTH + b"X: ")
    end = asyncio.create_task(ended(reader))
    while not end.done():
        writer.write(b"a drop")
        await asyncio.sleep(HEADER_LIMIT / 10)
    assert end.result() < KEEP_ALIVE
    writer.close()


async def test_who_has_asked_may_go_on_for_a_while(connect: Connect) -> None:
    reader, writer = await connect()
    for _ in range(2):
        writer.write(POST)
        await asyncio.sleep(1.5 * HEADER_LIMIT)
        writer.write(b"}")
        assert b" 201 " in await reader.readuntil(b"}")
        await asyncio.sleep(1.5 * HEADER_LIMIT)
    writer.write(HEALTH)
    assert await ended(reader) < KEEP_ALIVE + HEADER_LIMIT
    writer.close()


async def test_what_is_no_http_gets_a_problem(connect: Connect) -> None:
    for sent in (b"GET / HTTP/x\r\n\r\n", HEALTH + b"no colon\r\n\r\n", bytes(64)):
        reader, writer = await connect()
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 400 ")
        assert b"\r\nContent-Type: application/problem+json" in head
        assert b"\r\nServer: liveness\r\n" in head
        problem = json.loads(body)
        assert problem["code"] == "bad_request"
        assert problem["detail"] == "This is no HTTP request"
        writer.close()


async def test_a_host_that_is_no_address_is_refused(connect: Connect) -> None:
    for host in (b"a:b", b"a:99999", b":80", b"", b"\x80"):
        reader, writer = await connect()
        writer.write(POST.replace(b"Host: x", b"Host: " + host) + b"}")
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 400 "), host
        assert b"The Host header is no address" in answer
        writer.close()


async def test_who_hangs_up_is_no_error_of_the_server(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    _, writer = await connect()
    writer.write(POST)
    await asyncio.sleep(HEADER_LIMIT / 5)
    writer.transport.abort()
    reader, writer = await connect()
    writer.write(HEALTH + b"Connection: close\r\n\r\n")
    assert b" 200 " in await reader.readline()
    assert "request failed" not in "".join(capsys.readouterr())
    writer.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A server that is started with few files, though it may have more."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(few, most - 1), most))
    with Program(tmp_path, "--workers", "1", "--log-format", "json").begin() as program:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
        yield program.ready()


def test_files_that_run_out_fill_no_log_and_end_nothing(program: Program) -> None:
    server, port = psutil.Process(program.process.pid), int(program.url.rpartition(":")[2])
    few, most = server.rlimit(psutil.RLIMIT_NOFILE)
    assert few == most == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    left = server.num_fds() + SPARE
    server.rlimit(psutil.RLIMIT_NOFILE, (left, most))
    clients = [socket.create_connection((LOOPBACK, port)) for _ in range(4 * SPARE)]
    time.sleep(3)
    log = program.log.read_text()
    assert "Traceback" not in log
    said = [json.loads(line) for line in log.splitlines()]
    assert [each["event"] for each in said].count("connections cannot be taken") == 1
    for each in clients[1:]:
        each.close()
    clients[0].settimeout(WITHIN)
    clients[0].sendall(HEALTH + b"\r\n")
    assert b" 200 " in clients[0].recv(4096)
    clients[0].close()
    with socket.create_connection((LOOPBACK, port), WITHIN) as another:
        another.sendall(HEALTH + b"\r\n")
        assert b" 200 " in another.recv(4096)
