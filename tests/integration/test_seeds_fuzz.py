"""Whatever comes over the seeds' calls: an answer in their shape, no 500, no hang, no growth."""

import asyncio
import base64
import http.client
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from liveness.api.seeds import STILLS, Stills
from liveness.clients import MOST_CLIENTS
from liveness.testing.fixtures import LivenessServer
from liveness.testing.portrait import Portrait
from tests.stills import FRAME, FRAMES, UPLOAD, Poser

STATUSES = {200, 400, 408, 413, 415, 503}
MEBIBYTE = 2**20
SIDES = st.integers(0, 16).flatmap(lambda bits: st.integers(2**bits, 2 ** (bits + 1)))
MOST_AREA = 2_000_000  # pixels: larger ones only take longer

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),  # as `pictures` has it outside of tests
    pytest.mark.filterwarnings("ignore::RuntimeWarning:aiohttp"),  # of headers that make no sense
]
fuzzed = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Running:
    host: str
    port: int
    stills: Stills

    def post(self, path: str, body: bytes, kind: str) -> tuple[int, dict[str, Any]]:
        """Send a body as it is; an answer takes 10 seconds at most."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(spoof_models: Path) -> Iterator[Running]:
    """A server on a thread of its own: Hypothesis does not wait for coroutines."""
    started = threading.Event()
    found: list[Running] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with LivenessServer.of(model_dir=spoof_models) as server:
            host, port = server.url.removeprefix("http://").split(":")
            found.append(Running(host, int(port), server.app[STILLS]))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()
    loop.close()


@pytest.fixture(scope="module")
def picture(portrait: Portrait) -> bytes:
    return Poser(portrait).photograph()


def in_shape(path: str, answer: tuple[int, dict[str, Any]]) -> None:
    status, body = answer
    assert status in STATUSES, body
    assert isinstance(body["message"], str)
    if path == UPLOAD:
        assert body["status"] == ("success" if status == 200 else "error")
    else:
        assert body["success"] is False or status == 200


def damaged(content: bytes, seed: int) -> bytes:
    generator = random.Random(seed)
    changed = bytearray(content)
    for _ in range(generator.choice((0, 1, 5, 50))):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    if generator.random() < 0.4:
        del changed[generator.randrange(1, len(changed)) :]
    return bytes(changed)


def multipart(picture: bytes, head: bytes = b"") -> bytes:
    disposition = b'Content-Disposition: form-data; name="picture"; filename="x.jpg"\r\n'
    return b"--x\r\n" + disposition + head + b"\r\n" + picture + b"\r\n--x--\r\n"


@fuzzed
@given(seed=st.integers(0, 2**32))
def test_damaged_pictures(running: Running, picture: bytes, seed: int) -> None:
    content = damaged(picture, seed)
    text = base64.b64encode(content).decode()
    frame = json.dumps({"challenge": "blink", "frame": f"data:image/jpeg;base64,{text}"}).encode()
    in_shape(FRAME, running.post(FRAME, frame, "application/json"))
    form = multipart(content)
    in_shape(UPLOAD, running.post(UPLOAD, form, "multipart/form-data; boundary=x"))


@fuzzed
@given(width=SIDES, height=SIDES)
@example(width=20_000, height=32)
@example(width=32, height=60_000)
def test_pictures_of_any_shape(running: Running, width: int, height: int) -> None:
    assume(width * height <= MOST_AREA)
    packed = BytesIO()
    Image.new("L", (width, height), 90).save(packed, "PNG")
    form = multipart(packed.getvalue())
    answer = running.post(UPLOAD, form, "multipart/form-data; boundary=x")
    in_shape(UPLOAD, answer)
    assert answer[0] == 400, "there is no face"


@fuzzed
@given(body=st.binary(max_size=300), kind=st.sampled_from(["application/json", "text/plain", ""]))
@pytest.mark.parametrize("path", [FRAME, FRAMES])
def test_any_bytes(running: Running, path: str, body: bytes, kind: str) -> None:
    in_shape(path, running.post(path, body, kind))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["challenge", "frame", "frames", "session"]) | st.text(max_size=5),
            inner | st.sampled_from(["front", "blink", "data:image/jpeg;base64,/9j/"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@fuzzed
@given(body=JSON)
@pytest.mark.parametrize("path", [FRAME, FRAMES])
def test_any_json(running: Running, path: str, body: object) -> None:
    in_shape(path, running.post(path, json.dumps(body).encode(), "application/json"))


@fuzzed
@given(
    parts=st.lists(
        st.sampled_from(
            [
                b"--x\r\n",
                b"--x--\r\n",
                b"--x--",
                b"\r\n",
                b"\n",
                b'Content-Disposition: form-data; name="picture"\r\n',
                b'Content-Disposition: form-data; name="session"\r\n',
                b"Content-Disposition: form-data; name*=utf-8''%\r\n",
                b'Content-Disposition: form-data; name="_charset_"\r\n',
                b"Content-Type: multipart/mixed; boundary=y\r\n",
                b"Content-Type: multipart/mixed\r\n",
                b"Content-Length: 5\r\n",
                b"Content-Length: -5\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"--y\r\n",
                b"x" * 9000,
            ]
        )
        | st.binary(max_size=30),
        max_size=14,
    ),
    boundary=st.sampled_from(
        ["; boundary=x", "; boundary=", "", '; boundary="', "; boundary=" + "b" * 90]
    ),
)
def test_any_form(running: Running, parts: list[bytes], boundary: str) -> None:
    body = b"".join(parts)
    in_shape(UPLOAD, running.post(UPLOAD, body, f"multipart/form-data{boundary}"))


def test_nothing_grows(running: Running, picture: bytes) -> None:
    def load(first: int, last: int) -> None:
        for seed in range(first, last):
            text = base64.b64encode(damaged(picture, seed)).decode()
            sent = {"challenge": "blink", "frame": text, "session": str(seed)}
            running.post(FRAME, json.dumps(sent).encode(), "application/json")

    load(0, 60)
    before = psutil.Process().memory_info().rss
    load(60, 260)
    assert psutil.Process().memory_info().rss - before < 24 * MEBIBYTE
    assert running.stills.desk.bytes.taken == 0
    assert len(running.stills.clients) <= MOST_CLIENTS
