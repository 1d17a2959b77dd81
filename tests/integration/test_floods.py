"""Floods of what is of no use: everything is refused, memory stays flat, and a session passes."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from liveness.testing.peer import HeadlessPeer
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import LOOPBACK, Plain, create, post, reach
from tests.integration.program import Program
from tests.integration.test_operations import count

MEBIBYTE = 2**20

REQUESTS = 10_000
CONNECTIONS = 20

PACKETS = 100_000
PACKET = 1000  # bytes: 100 MB, if they were kept
BURST, PAUSE = 100, 0.005  # packets, seconds: 20,000 a second at the most

PLACES = 30

BROKEN = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a port without
    b"GET / HTTP/x\r\n\r\n",
    b"GET\r\n\r\n",
    b"POST /whip HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    b"POST /whip HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /whip HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    bytes(64),
)
"""What is no HTTP: the connection ends."""

REFUSED = (
    ("POST", "/whip", b""),
    ("POST", "/whip", b"v=0"),
    ("POST", "/api/sessions", b"{"),
    ("POST", "/api/sessions", b'{"challenges": ["dance"]}'),
    ("POST", "/api/sessions", b'{"metadata": {"a": {}}}'),
    ("PATCH", "/whip/none", b"a=candidate"),
    ("DELETE", "/api/sessions/none", b""),
    ("GET", "/api/sessions/..%2f..%2fetc", b""),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, spoof_models: Path) -> Iterator[Program]:
    arguments = ("--workers", "1", "--model-dir", str(spoof_models), "--max-sessions", str(PLACES))
    open_door = ("--most-load", "0", "--rate-per-address", "0", "--time-limit", "60")
    with Program(tmp_path_factory.mktemp("floods"), *arguments, *open_door).begin() as program:
        yield program.ready()


def memory(program: Program) -> int:
    used: int = psutil.Process(program.process.pid).memory_info().rss
    return used


def ports(program: Program) -> list[int]:
    """The UDP ports that the server listens at."""
    found = psutil.Process(program.process.pid).net_connections("udp")
    return [each.laddr.port for each in found]


async def broken(port: int, data: bytes) -> int:
    """Send what is no request; gives the status of the answer."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(data)
        answer = await reader.readline()
        return int(answer.split()[1])
    finally:
        writer.close()


async def refused(port: int, requests: list[tuple[str, str, bytes]]) -> Counter[int]:
    """Send requests one after the other over one connection; gives their statuses."""
    statuses: Counter[int] = Counter()
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    for method, path, body in requests:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if b"content-length" in line)
        await reader.readexactly(int(length.partition(b":")[2]))
        statuses[int(answer.split()[1])] += 1
    writer.close()
    return statuses


async def flood_requests(port: int, number: int) -> Counter[int]:
    """Send half of what is no HTTP, and half of what is nothing that can be granted."""

    async def one(seed: int) -> Counter[int]:
        chance, each = random.Random(seed), number // CONNECTIONS // 2
        statuses = Counter([await broken(port, chance.choice(BROKEN)) for _ in range(each)])
        return statuses + await refused(port, chance.choices(REFUSED, k=each))

    found = await asyncio.gather(*(one(seed) for seed in range(CONNECTIONS)))
    return sum(found, Counter())


async def half_open(program: Program, offer: str) -> None:
    """Fill every place with an offer whose peer never comes, and wait until all are free again."""
    async with program.client() as client:
        sessions = [await create(client) for _ in range(PLACES + 1)]
        answers = [await post(client, each, offer) for each in sessions]
        assert [each.status for each in answers] == [201] * PLACES + [503]
        assert answers[-1].headers["Retry-After"]
        for each in sessions[:-1]:
            shown = await reach(client, each, "finished")
            assert shown["verdict"]["reasons"] == ["never_connected"]
        until = time.monotonic() + 5
        while await count(client, "liveness_sessions_running"):
            assert time.monotonic() < until
            await asyncio.sleep(0.1)


async def test_offers_that_never_connect_leave_nothing(program: Program) -> None:
    peer = Plain()
    offer = await peer.offer()
    for _ in range(2):  # until the allocator has what it needs
        await half_open(program, offer)
    before = memory(program)
    for _ in range(2):
        await half_open(program, offer)
    grown = memory(program) - before
    print(f"{2 * PLACES} half-open sessions: {grown / MEBIBYTE:+.1f} MiB")
    assert ports(program) == []
    # While they last they take a megabyte each.
    assert grown < PLACES * MEBIBYTE / 2
    await peer.close()


async def test_malformed_requests_are_refused_and_leave_nothing(program: Program) -> None:
    port = int(program.url.rpartition(":")[2])
    await flood_requests(port, 1000)
    logged, before, began = program.log.stat().st_size, memory(program), time.monotonic()
    statuses = await flood_requests(port, REQUESTS)
    seconds, grown = time.monotonic() - began, memory(program) - before
    print(f"{statuses.total()} in {seconds:.1f} s: {dict(statuses)}, {grown / MEBIBYTE:+.1f} MiB")
    assert statuses.total() == REQUESTS
    assert all(400 <= status < 500 for status in statuses)
    assert grown < 8 * MEBIBYTE
    assert program.log.stat().st_size == logged, "a flood fills no log"


async def first_state(*peers: HeadlessPeer) -> None:
    """Wait until the server has said something about each of them."""
    until = time.monotonic() + 10
    while not all(each.states for each in peers):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


def flood_packets(port: int, number: int) -> None:
    """Send garbage of every kind that a port for media knows, and none."""
    chance = random.Random(7)
    noise = [chance.randbytes(chance.choice((20, 100, PACKET))) for _ in range(64)]
    stun = bytes.fromhex("000100002112a442") + bytes(12)
    wrong = (
        bytes.fromhex("0001000c2112a442") + bytes(12) + bytes.fromhex("0025000400000000") + b"0" * 4
    )
    dtls, rtp = b"\x16\xfe\xfd" + bytes(PACKET), b"\x80\x60" + chance.randbytes(PACKET)
    kinds = [b"", stun, wrong, *([dtls] * 8), *([rtp] * 16), *noise]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for sent in range(number):
            stranger.sendto(kinds[sent % len(kinds)], (LOOPBACK, port))
            if sent % BURST == 0:
                time.sleep(PAUSE)


async def test_a_session_passes_under_garbage(program: Program, portrait: Portrait) -> None:
    async with HeadlessPeer(program.url, Puppet(portrait)) as peer:
        (port,) = ports(program)
        await first_state(peer)
        before, began = memory(program), time.monotonic()
        flood = asyncio.create_task(asyncio.to_thread(flood_packets, port, PACKETS))
        check = await peer.check()
        passed = time.monotonic() - began
        await flood
    grown = memory(program) - before
    seconds = time.monotonic() - began
    rate = check.verdict.frame_rate
    print(
        f"{PACKETS} packets in {seconds:.1f} s, verdict after {passed:.1f} s: "
        f"{rate:.1f} frames a second measured, {grown / MEBIBYTE:+.1f} MiB"
    )
    assert check.verdict.verdict == "live"
    assert grown < 40 * MEBIBYTE
    assert "Traceback" not in program.log.read_text()


def test_the_log_is_json_and_about_nobody(program: Program) -> None:
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    for event in ("session started", "session finished"):
        assert all(line["session"] for line in lines if line["event"] == event)
        assert event in {line["event"] for line in lines}
    assert LOOPBACK not in program.log.read_text()
