import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from liveness.challenge.names import Hint
from liveness.testing.attackers import EmptyRoom
from liveness.testing.fixtures import LivenessServer, ServerFactory
from liveness.testing.peer import HeadlessPeer, run_check
from liveness.testing.puppet import Puppet
from liveness.testing.raster import Picture
from liveness.testing.source import VideoFile
from liveness.testing.track import CLOCK_RATE, SourceTrack
from liveness.testing.whip import PeerError, RefusedError
from liveness.verdict import Reason

SIZE = (320, 240)


@pytest.fixture
def room() -> EmptyRoom:
    return EmptyRoom(SIZE)


async def test_a_check_tells_states_and_verdict(
    liveness_server: LivenessServer, puppet: Puppet
) -> None:
    check = await liveness_server.check(puppet)
    assert check.verdict.verdict == "live", check.verdict
    assert check.challenges[0] == "front"
    assert sorted(check.challenges) == ["blink", "front", "left", "right"]
    assert [result.challenge for result in check.verdict.challenges] == list(check.challenges)
    frames = [state.frame for state in check.states]
    assert frames == sorted(frames)
    assert check.verdict.frames <= check.sent
    passed = [state for state in check.states if state.hint == "passed" and state.step == 3]
    assert passed in ([], [check.states[-1]])  # only the verdict follows


async def test_h264_is_understood_as_well(liveness_server: LivenessServer, puppet: Puppet) -> None:
    check = await liveness_server.check(puppet, codec="H264")
    assert check.verdict.verdict == "live", check.verdict


async def test_a_peer_without_data_channel_reads_its_verdict_over_http(
    liveness_servers: ServerFactory, room: EmptyRoom
) -> None:
    server = await liveness_servers(time_limit=1)
    check = await server.check(room, data_channel=False)
    assert check.states == ()
    assert check.verdict.reasons == (Reason.TIME_LIMIT,)


async def test_a_session_made_before_is_taken_by_its_token(
    liveness_servers: ServerFactory, room: EmptyRoom
) -> None:
    server = await liveness_servers(time_limit=1)
    async with aiohttp.ClientSession() as http, http.post(f"{server.url}/api/sessions") as made:
        session = await made.json()
    check = await server.check(room, token=session["token"])
    assert check.session == session["id"]
    with pytest.raises(RefusedError) as refused:
        await server.check(room, token=session["token"])
    assert refused.value.status == 409


async def test_challenges_are_asked_as_given(
    liveness_server: LivenessServer, puppet: Puppet
) -> None:
    check = await liveness_server.check(puppet, challenges=["front", "left"])
    assert check.challenges == ("front", "left")
    assert check.verdict.verdict == "live", check.verdict


async def test_a_self_signed_certificate_can_be_taken_or_refused(
    liveness_servers: ServerFactory, room: EmptyRoom, tmp_path: Path
) -> None:
    server = await liveness_servers(http=False, cert_dir=tmp_path, time_limit=1)
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await run_check(server.url, room)
    check = await run_check(server.url, room, ssl=False)
    assert check.verdict.verdict == "incomplete"


async def test_an_api_key_is_presented(liveness_servers: ServerFactory, room: EmptyRoom) -> None:
    server = await liveness_servers(api_key=("secret",), time_limit=1)
    with pytest.raises(RefusedError) as refused:
        await server.check(room)
    assert refused.value.status == 401
    check = await server.check(room, api_key="secret")
    assert check.verdict.verdict == "incomplete"


async def test_a_file_is_published_to_its_end(
    liveness_server: LivenessServer, real_clip: Callable[[str], Path]
) -> None:
    check = await liveness_server.check(real_clip("single_face.mp4"))
    assert check.verdict.verdict == "incomplete"
    assert check.verdict.reasons == (Reason.PEER_LEFT,)
    assert check.verdict.challenges[0].passed
    assert 40 < check.sent <= 73


async def test_pictures_in_a_row_are_published(liveness_server: LivenessServer) -> None:
    grey = np.full((240, 320, 3), 128, np.uint8)
    check = await liveness_server.check([grey] * 30)
    assert check.verdict.verdict == "incomplete"
    assert check.states[-1].hint is Hint.NO_FACE


async def test_leaving_early_ends_the_session(
    liveness_server: LivenessServer, room: EmptyRoom
) -> None:
    async with HeadlessPeer(liveness_server.url, room) as peer:
        await asyncio.sleep(0.5)
    url = f"{liveness_server.url}/api/sessions/{peer.session}"
    headers = {"Authorization": f"Bearer {peer.token}"}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
        shown = await response.json()
    assert shown["status"] == "finished"
    assert shown["verdict"]["reasons"] == ["peer_left"]


async def test_no_verdict_in_time_is_an_error(
    liveness_server: LivenessServer, room: EmptyRoom
) -> None:
    with pytest.raises(PeerError, match=r"no verdict within 0\.5 s"):
        await liveness_server.check(room, timeout=0.5)


async def test_a_refusal_is_told_with_its_status(room: EmptyRoom) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"detail": "not here"}, status=503)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        with pytest.raises(RefusedError, match="503"):
            await run_check(f"http://{host}:{port}", room)
    finally:
        await runner.cleanup()


class Broken(EmptyRoom):
    """Fails, in one of the two things that a source does."""

    def __init__(self, *, frame: bool) -> None:
        super().__init__(SIZE)
        self._breaks_frame = frame

    def frame(self, time: float) -> Picture:
        if self._breaks_frame and time > 0.3:
            raise ZeroDivisionError("frame")
        return super().frame(time)

    def react(self, state: Mapping[str, Any]) -> None:
        super().react(state)
        if not self._breaks_frame:
            raise ZeroDivisionError("react")


@pytest.mark.parametrize("part", ["frame", "react"])
async def test_what_a_source_raises_is_raised_by_the_check(
    part: str, liveness_server: LivenessServer
) -> None:
    with pytest.raises(ZeroDivisionError, match=part):
        await liveness_server.check(Broken(frame=part == "frame"))


async def test_an_unknown_codec_is_told(liveness_server: LivenessServer, room: EmptyRoom) -> None:
    with pytest.raises(ValueError, match="no such codec: AV2"):
        await liveness_server.check(room, codec="AV2")


async def test_nothing_is_left_behind(liveness_server: LivenessServer, room: EmptyRoom) -> None:
    tasks = len(asyncio.all_tasks())
    with pytest.raises(PeerError):
        await liveness_server.check(room, timeout=0.3)
    for _ in range(50):
        if len(asyncio.all_tasks()) <= tasks:
            break
        await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) <= tasks, asyncio.all_tasks()
    assert not [each for each in threading.enumerate() if each.name.startswith("source")]


class Slow:
    """Takes a quarter of a second for each picture."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def frame(self, time: float) -> Picture:
        self.times.append(time)
        threading.Event().wait(0.25)
        return np.zeros((16, 16, 3), np.uint8)

    def react(self, state: dict[str, object]) -> None:
        raise NotImplementedError


async def test_a_slow_source_skips_frames_and_keeps_real_time() -> None:
    source = Slow()
    track = SourceTrack(source, fps=30)
    frames = [await track.recv() for _ in range(5)]
    track.stop()
    assert track.skipped >= 20
    assert track.sent == 5
    assert [frame.pts for frame in frames] == [round(time * CLOCK_RATE) for time in source.times]


def test_a_file_without_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        VideoFile(tmp_path / "nothing.mp4")


def test_a_looped_file_does_not_end(real_clip: Callable[[str], Path]) -> None:
    path = real_clip("single_face.mp4")
    once, looped = VideoFile(path), VideoFile(path, loop=True)
    assert once.frame(2.0) is not None
    assert once.frame(4.0) is None
    assert looped.frame(4.0) is not None


INTEGRATORS_CONFTEST = 'pytest_plugins = ["liveness.testing.fixtures"]'
INTEGRATORS_TEST = """
import pytest

from liveness.testing.puppet import OVERSHOOTING


@pytest.mark.asyncio
async def test_the_fixtures_come_with_a_server_and_people(liveness_server, make_puppet):
    check = await liveness_server.check(make_puppet(OVERSHOOTING), challenges=["front"])
    assert check.verdict.verdict == "live"
"""


def test_the_plugin_works_in_another_project_in_strict_mode(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(INTEGRATORS_CONFTEST)
    (tmp_path / "test_theirs.py").write_text(INTEGRATORS_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n")
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
