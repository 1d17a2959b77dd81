# ruff: noqa: ASYNC240  nothing else runs on the loops of these tests
import asyncio
import bz2
import random
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from liveness.errors import (
    DownloadBusy,
    DownloadUnfit,
    LivenessError,
    SourceSilent,
    SourceUnreachable,
)
from liveness.fetch import Limits, fetch
from liveness.vision.landmarks import Landmarker
from tests.source import Source, predictor, serving_source

QUICK = Limits(connect=2.0, silence=0.4, pause=0.0, attempts=3)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model" / "weights.dat"


def left_over(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()} - {target.name, f".{target.name}.lock"}


async def test_what_was_fetched_is_what_dlib_loads(target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    async with serving_source(Source()) as source:
        await fetch(source.url, target, progress=lambda *each: told.append(each), limits=QUICK)
        assert told[0] == (0, len(source.content))
        assert told[-1] == (len(source.content), len(source.content))
    assert target.read_bytes() == predictor()
    Landmarker(target)
    assert not left_over(target)
    assert target.stat().st_mode & 0o777 == 0o644


async def test_a_broken_connection_is_gone_on_with(target: Path) -> None:
    async with serving_source(Source(breaks=2)) as source:
        await fetch(source.url, target, limits=QUICK)
        half = len(source.content) // 2
        assert source.asked[0] is None
        assert source.asked[1] == f"bytes={half}-"
        assert len(source.asked) == 3
    assert target.read_bytes() == predictor()


async def test_the_next_process_goes_on_too(target: Path) -> None:
    once = Limits(silence=0.4, attempts=1)
    async with serving_source(Source(breaks=1)) as source:
        with pytest.raises(SourceUnreachable):
            await fetch(source.url, target, limits=once)
        assert not target.exists()
        await fetch(source.url, target, limits=once)
        assert source.asked == [None, f"bytes={len(source.content) // 2}-"]
    assert target.read_bytes() == predictor()


@pytest.mark.parametrize("tag", ['"two"', 'W/"weak"', None])
async def test_another_file_is_not_mixed_with_the_first(target: Path, tag: str | None) -> None:
    source = Source(bz2.compress(random.Random(0).randbytes(9000)), breaks=1)
    source.tag = tag if tag != '"two"' else '"one"'
    async with serving_source(source):
        with pytest.raises(SourceUnreachable):
            await fetch(source.url, target, limits=Limits(attempts=1))
        source.content, source.tag = bz2.compress(predictor()), tag
        await fetch(source.url, target, limits=QUICK)
    assert target.read_bytes() == predictor()


async def test_a_source_without_ranges_begins_anew(target: Path) -> None:
    source = Source(breaks=1)
    source.tag = None
    async with serving_source(source):
        await fetch(source.url, target, limits=QUICK)
        assert source.asked == [None, None]
    assert target.read_bytes() == predictor()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>Not here</html>", "no bzip2 file"),
        (bz2.compress(b"\x01\x01 no predictor"), "no shape predictor"),
        (bz2.compress(predictor()[:-200]), "it ends too soon"),
        (bz2.compress(predictor(5)), "not of 68 points"),
        (bz2.compress(predictor()) + b"more", "goes on after its end"),
    ],
    ids=["page", "noise", "cut", "five points", "more"],
)
async def test_other_content_replaces_nothing(target: Path, content: bytes, said: str) -> None:
    target.parent.mkdir()
    target.write_bytes(b"what was there")
    async with serving_source(Source(content)) as source:
        with pytest.raises(DownloadUnfit, match=said):
            await fetch(source.url, target, limits=QUICK)
    assert target.read_bytes() == b"what was there"
    assert not left_over(target), "it is not gone on with"


@pytest.mark.parametrize("sized", [True, False])
async def test_too_large_a_file_is_not_fetched(target: Path, *, sized: bool) -> None:
    source = Source(bz2.compress(random.Random(0).randbytes(3_000_000)))
    source.sized = sized
    async with serving_source(source):
        with pytest.raises(DownloadUnfit, match="bytes"):
            await fetch(source.url, target, limits=Limits(packed=1_000_000))
    assert not left_over(target)


async def test_a_file_that_unpacks_to_too_much_is_not_unpacked(target: Path) -> None:
    async with serving_source(Source(bz2.compress(bytes(50_000_000)))) as source:
        with pytest.raises(DownloadUnfit, match="unpacks to over"):
            await fetch(source.url, target, limits=Limits(unpacked=1_000_000))
    assert not left_over(target)


async def test_a_silent_source_is_given_up(target: Path) -> None:
    async with serving_source(Source(pause=2.0)) as source:
        with pytest.raises(SourceSilent, match="does not answer"):
            await fetch(source.url, target, limits=Limits(silence=0.1, pause=0.0, attempts=2))
        assert len(source.asked) == 2
        with pytest.raises(SourceSilent, match="took over"):
            await fetch(source.url, target, limits=Limits(total=0.2))


async def test_a_slow_source_that_goes_on_is_waited_for(target: Path) -> None:
    async with serving_source(Source(pause=0.3)) as source:
        await fetch(source.url, target, limits=Limits(silence=2.0, attempts=1))
    assert target.exists()


async def test_a_source_that_is_not_there_is_told(target: Path, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/weights.bz2"
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        await fetch(url, target, limits=QUICK)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_source_that_has_no_such_file_is_told(target: Path, status: int) -> None:
    async with serving_source(Source()) as source:
        source.status = status
        with pytest.raises(SourceUnreachable, match=f"answers {status}"):
            await fetch(source.url, target, limits=QUICK)
        assert len(source.asked) == 1


async def test_one_process_at_a_time(target: Path) -> None:
    async with serving_source(Source()) as source:
        source.go.clear()
        first = asyncio.create_task(fetch(source.url, target, limits=Limits()))
        await source.waiting.wait()
        with pytest.raises(DownloadBusy):
            await fetch(source.url, target, limits=QUICK)
        source.go.set()
        await first
    assert target.exists()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    async with serving_source(Source()) as source:
        with pytest.raises(OSError, match="exists"):
            await fetch(source.url, tmp_path / "model" / "weights.dat", limits=QUICK)


async def test_ending_it_leaves_the_part_for_later(target: Path) -> None:
    async with serving_source(Source(pause=5.0)) as source:
        task = asyncio.create_task(fetch(source.url, target, limits=Limits()))
        await source.waiting.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        source.pause = 0.0
        await fetch(source.url, target, limits=QUICK)
    assert target.read_bytes() == predictor()


async def test_what_had_come_whole_and_was_not_unpacked_is_no_obstacle(target: Path) -> None:
    async with serving_source(Source()) as source:
        source.pause = 0.2
        task = asyncio.create_task(fetch(source.url, target, limits=QUICK))
        await source.waiting.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        part = target.with_name(f".{target.name}.bz2.part")
        assert part.exists()
        part.write_bytes(source.content)  # as a kill in the very last moment leaves it
        source.pause = 0.0
        await fetch(source.url, target, limits=QUICK)
    assert target.read_bytes() == predictor()


async def test_errors_keep_the_operators_secrets(target: Path, unused_tcp_port: int) -> None:
    url = f"http://user:secret@127.0.0.1:{unused_tcp_port}/weights.bz2?key=secret"
    with pytest.raises(SourceUnreachable) as caught:
        await fetch(url, target, limits=QUICK)
    assert "secret" not in caught.value.detail


def test_every_failure_has_its_status() -> None:
    statuses: dict[type[LivenessError], int] = {
        SourceUnreachable: 502,
        SourceSilent: 504,
        DownloadUnfit: 502,
        DownloadBusy: 503,
    }
    assert all(kind.status == status for kind, status in statuses.items())


async def test_a_source_leads_nowhere_that_is_no_source(target: Path) -> None:
    async with serving_source(Source()) as source:
        hidden = source.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - this machine, in Linux
        assert hidden != source.url

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPFound(hidden)

        app = web.Application()
        app.router.add_get("/weights", redirect)
        async with TestServer(app, host="127.0.0.1") as server:
            with pytest.raises(SourceUnreachable, match="no connection"):
                await fetch(str(server.make_url("/weights")), target, limits=QUICK)
        assert source.asked == []
    assert not target.exists()
