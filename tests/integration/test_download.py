import asyncio
import bz2
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from liveness.api.http import REGISTRY
from liveness.console import INTERRUPTED
from liveness.download import Download, State
from liveness.errors import (
    DownloadUnfit,
    LivenessError,
    ModelUnwritable,
    ServerStopping,
    SourceUnreachable,
)
from liveness.fetch import Limits
from liveness.models import GTX_FILE, find_landmark_weights
from liveness.prepare import main
from liveness.settings import Settings
from liveness.testing.fixtures import LivenessServer
from tests.source import Source, predictor, serving_source
from tests.stills import answer

PATH = "/download-model"


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what another process has fetched as often as a test can wait for."""
    monkeypatch.setattr("liveness.download.LOOK_INTERVAL", 0.02)


@asynccontextmanager
async def serving(source: Source, folder: Path, **more: object) -> AsyncIterator[ClientSession]:
    server = LivenessServer.of(model_url=source.url, model_dir=folder, **more)
    async with server, ClientSession(server.url) as client:
        yield client


async def test_the_first_seeds_call_brings_the_weights(tmp_path: Path) -> None:
    async with serving_source(Source()) as source, serving(source, tmp_path) as client:
        assert await answer(await client.get(PATH)) == (
            200,
            {"success": True, "message": "Model downloaded successfully"},
        )
        assert find_landmark_weights(tmp_path).path == tmp_path / GTX_FILE
        _, body = await answer(await client.get(PATH))
        assert body == {"success": True, "message": "The model is there already"}
        assert len(source.asked) == 1
        assert (await client.get("/readyz")).status == 200


async def test_sessions_that_begin_later_use_them(tmp_path: Path) -> None:
    async with serving_source(Source()) as source:
        server = LivenessServer.of(model_url=source.url, model_dir=tmp_path)
        async with server, ClientSession(server.url) as client:
            before = server.app[REGISTRY].sight.landmarker
            await client.get(PATH)
            assert server.app[REGISTRY].sight.landmarker is not before


async def test_who_asks_meanwhile_joins_in(tmp_path: Path) -> None:
    source = Source(pause=0.1)
    async with serving_source(source), serving(source, tmp_path) as client:
        source.go.clear()
        asking = [asyncio.create_task(client.get(PATH)) for _ in range(5)]
        await source.waiting.wait()
        asking.append(asyncio.create_task(client.get(PATH)))
        asking[0].cancel()
        _, body = await answer(await client.get(PATH, params={"status": ""}))
        assert (body["success"], body["state"]) == (False, "downloading")
        source.go.set()
        answers = [await answer(await each) for each in asking[1:]]
        assert {status for status, _ in answers} == {200}
        assert len(source.asked) == 1
        _, body = await answer(await client.get(f"{PATH}?status"))
        assert (body["success"], body["state"], body["percent"]) == (True, "done", 100)
        assert body["received"] == body["total"] == len(source.content)


async def test_without_a_source_the_server_goes_on(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.fetch.Limits", lambda: Limits(attempts=1))
    source = Source()
    source.url = f"http://127.0.0.1:{unused_tcp_port}/weights.bz2"
    async with serving(source, tmp_path) as client:
        for path in (PATH, f"{PATH}?status"):
            status, body = await answer(await client.get(path))
            assert status == (502 if path == PATH else 200)
            assert body["success"] is False
            assert "cannot be reached" in body["message"]
        assert (await client.get("/readyz")).status == 200
        assert (await client.post("/api/sessions")).status == 201
    assert not (tmp_path / GTX_FILE).exists()


async def test_a_silent_source_is_a_gateway_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveness.fetch.Limits", lambda: Limits(silence=0.1, attempts=1))
    source = Source(pause=1.0)
    async with serving_source(source), serving(source, tmp_path) as client:
        status, body = await answer(await client.get(PATH))
        assert (status, body["success"]) == (504, False)
        assert "does not answer" in body["message"]
        source.pause = 0.0
        assert (await client.get(PATH)).status == 200, "the next try goes on"
        assert source.asked[1] is not None


async def test_other_content_replaces_nothing(tmp_path: Path) -> None:
    source = Source(bz2.compress(b"something else"))
    async with serving_source(source), serving(source, tmp_path) as client:
        status, body = await answer(await client.get(PATH))
        assert (status, body["success"]) == (502, False)
        assert "not what it should be" in body["message"]
    assert not (tmp_path / GTX_FILE).exists()


async def test_with_a_key_it_takes_the_key(tmp_path: Path) -> None:
    async with (
        serving_source(Source()) as source,
        serving(source, tmp_path, api_key=("key",)) as client,
    ):
        for headers in ({}, {"Authorization": "Bearer other"}):
            for path in (PATH, f"{PATH}?status"):
                response = await client.get(path, headers=headers)
                assert "WWW-Authenticate" in response.headers
                status, body = await answer(response)
                assert (status, body["success"]) == (401, False)
        assert not source.asked
        response = await client.get(PATH, headers={"Authorization": "Bearer key"})
        assert response.status == 200


async def test_looking_is_not_asking(tmp_path: Path) -> None:
    async with serving_source(Source()) as source, serving(source, tmp_path) as client:
        assert (await client.head(PATH)).status == 405
        _, body = await answer(await client.get(f"{PATH}?status"))
        assert body["state"] == "idle"
        assert not source.asked


async def test_stopping_ends_it(tmp_path: Path) -> None:
    async def use(_path: Path) -> None:
        raise AssertionError("it was never whole")

    async with serving_source(Source(pause=30)) as source:
        download = Download(source.url, tmp_path / "weights.dat", use)
        asking = asyncio.create_task(download.join())
        await source.waiting.wait()
        await download.close()
        with pytest.raises(ServerStopping):
            await asking
        assert download.status.state is State.FAILED


async def test_whatever_goes_wrong_is_no_download_under_way(tmp_path: Path) -> None:
    async def use(_path: Path) -> None:
        raise ZeroDivisionError

    async with serving_source(Source()) as source:
        download = Download(source.url, tmp_path / "weights.dat", use)
        with pytest.raises(ZeroDivisionError):
            await download.join()
        assert download.status.state is State.FAILED
        await download.close()


async def test_keys_cannot_be_guessed(tmp_path: Path) -> None:
    async with (
        serving_source(Source()) as source,
        serving(source, tmp_path, api_key=("key",)) as client,
    ):
        tried = [{"Authorization": f"Bearer {number}"} for number in range(100)]
        for headers in (*tried, {"Authorization": "Bearer key"}):
            response = await client.get(f"{PATH}?status", headers=headers)
        assert response.status == 429, "the right one neither, for a while"


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def use(_path: Path) -> None: ...

    (tmp_path / "model").write_text("a file")
    async with serving_source(Source()) as source:
        download = Download(source.url, tmp_path / "model" / "weights.dat", use)
        with pytest.raises(ModelUnwritable):
            await download.join()


@pytest.mark.usefixtures("looking_often")
async def test_what_another_process_has_fetched_is_used(
    tmp_path: Path,
) -> None:
    used: asyncio.Queue[Path] = asyncio.Queue()
    target = tmp_path / "weights.dat"
    one, other = (Download("http://127.0.0.1:1/none", target, used.put) for _ in range(2))
    one.follow()
    await asyncio.sleep(0.1)
    assert used.empty()
    target.write_bytes(predictor())
    async with asyncio.timeout(5):
        assert await used.get() == target
    await asyncio.sleep(0.1)
    assert used.empty(), "once"
    assert (one.status.state, other.status.state) == (State.DONE, State.IDLE)
    await one.close()


@pytest.mark.usefixtures("looking_often")
async def test_so_it_is_after_a_download_of_its_own_has_failed(
    tmp_path: Path,
) -> None:
    used: asyncio.Queue[Path] = asyncio.Queue()
    target = tmp_path / "weights.dat"
    download = Download("http://127.0.0.1:1/none", target, used.put, Limits(attempts=1))
    download.follow()
    with pytest.raises(LivenessError):
        await download.join()
    target.write_bytes(predictor())
    async with asyncio.timeout(5):
        assert await used.get() == target
    await asyncio.sleep(0.05)
    assert download.status.state is State.DONE
    assert download.status.error is None
    await download.close()


@pytest.mark.usefixtures("looking_often")
async def test_a_broken_file_of_another_process_is_told_and_not_used(tmp_path: Path) -> None:
    async with LivenessServer.of(model_dir=tmp_path) as server, ClientSession(server.url) as client:
        before = server.app[REGISTRY].sight.landmarker
        (tmp_path / GTX_FILE).write_bytes(predictor()[:100])
        async with asyncio.timeout(5):
            state = "idle"
            while state in {"idle", "downloading"}:
                await asyncio.sleep(0.02)
                _, body = await answer(await client.get(f"{PATH}?status"))
                state = body["state"]
        assert state == "failed"
        assert "cannot be used" in body["message"]
        assert server.app[REGISTRY].sight.landmarker is before


@pytest.mark.usefixtures("looking_often")
async def test_a_file_of_no_use_is_tried_once(
    tmp_path: Path,
) -> None:
    tried: list[Path] = []

    async def use(path: Path) -> None:
        tried.append(path)
        raise DownloadUnfit

    target = tmp_path / "weights.dat"
    download = Download("http://127.0.0.1:1/none", target, use)
    download.follow()
    target.write_bytes(b"nothing")
    await asyncio.sleep(0.3)
    assert tried == [target]
    await download.close()


async def test_progress_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def use(_path: Path) -> None: ...

    async with serving_source(Source()) as source:
        await Download(source.url, tmp_path / "weights.dat", use).join()
    said = "".join(capsys.readouterr())
    assert "percent=100" in said
    assert "weights downloaded" in said


async def test_progress_is_logged_where_the_source_tells_no_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(_path: Path) -> None: ...

    monkeypatch.setattr("liveness.download._LOG_BYTES", 1000)
    async with serving_source(Source()) as source:
        source.sized = False
        await Download(source.url, tmp_path / "weights.dat", use).join()
    said = [line for line in "".join(capsys.readouterr()).splitlines() if "received=" in line]
    assert len(said) >= 2


@pytest.fixture
def networks(tmp_path: Path, spoof_models: Path) -> Path:
    """A folder that has the anti-spoof networks already."""
    for file in spoof_models.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


async def test_the_command_brings_them_with_a_bar(
    networks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving_source(Source()) as source:
        given = ["--model-dir", str(networks), "--gtx", "--model-url", source.url]
        assert await asyncio.to_thread(main, given) == 0
    out, err = capsys.readouterr()
    assert "100%" in err
    assert f"{GTX_FILE}: there" in out
    assert (networks / GTX_FILE).read_bytes() == predictor()


async def test_the_command_tells_a_damaged_file_and_brings_it_anew(
    networks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (networks / GTX_FILE).write_bytes(predictor()[:100])
    assert await asyncio.to_thread(main, ["--model-dir", str(networks)]) == 1
    assert "delete it, or fetch it anew with --gtx" in capsys.readouterr().err
    async with serving_source(Source()) as source:
        given = ["--model-dir", str(networks), "--gtx", "--model-url", source.url]
        assert await asyncio.to_thread(main, given) == 0
    assert (networks / GTX_FILE).read_bytes() == predictor()


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "ftp://127.0.0.1/x", "http:///x"])
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model_url"):
        Settings(model_url=url)
    with pytest.raises(SystemExit):
        main(["--model-dir", str(tmp_path), "--gtx", "--model-url", url])


def test_the_command_may_be_interrupted(
    networks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("liveness.prepare.find_landmark_weights", interrupted)
    assert main(["--model-dir", str(networks)]) == INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


async def test_the_command_says_what_went_wrong_and_no_secret(
    networks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving_source(Source()) as source:
        source.status = 404
        url = source.url.replace("://", "://me:hushed@") + "?token=hushed"
        given = ["--model-dir", str(networks), "--gtx", "--model-url", url]
        assert await asyncio.to_thread(main, given) == 1
    out, err = capsys.readouterr()
    assert "fetching it from 127.0.0.1" in out
    assert "error: 127.0.0.1 answers 404" in err
    assert "hushed" not in out + err
    assert SourceUnreachable.status == 502
