import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from PIL import Image

from liveness.api.bodies import MAX_FRAME, MAX_FRAMES
from liveness.api.seeds import Seen, look
from liveness.api.upload import MAX_UPLOAD
from liveness.desk import MOST_WAITING
from liveness.testing.portrait import Portrait
from tests.integration.plain import serving
from tests.stills import FRAME, FRAMES, Poser, ask, data_url

SECOND = 1.0
"""Between two pictures of the seed's client."""


class Clock:
    """When pictures arrive."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        self.time += SECOND
        return self.time


@pytest.fixture(scope="module")
def poser(portrait: Portrait) -> Poser:
    return Poser(portrait)


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with serving() as client:
        yield client


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let a second pass between two requests."""
    clock = Clock()
    for surface in ("frames", "upload"):
        monkeypatch.setattr(f"liveness.api.{surface}.now", clock)
    return clock


MET = (
    ("front", 0, "Face centered and looking at camera!"),
    ("right", -25, "Face turned right detected!"),
    ("left", 25, "Face turned left detected!"),
)

NOT_MET = (
    ("front", 25, "look straight"),
    ("right", 0, "more to the right"),
    ("right", 25, "Wrong direction! Please turn your face to the right"),
    ("left", 0, "more to the left"),
    ("left", -25, "Wrong direction! Please turn your face to the left"),
    ("blink", 0, "blink your eyes"),
)


async def test_one_picture_meets_a_pose(client: ClientSession, poser: Poser) -> None:
    for challenge, yaw, message in MET:
        status, body = await ask(client, FRAME, json=poser.frame(challenge, yaw))
        assert (status, body["success"], body["message"]) == (200, True, message)
        assert body["debug_info"]["detected"] == challenge
        assert abs(body["debug_info"]["yaw"] - yaw) < 8
        left, top, width, height = body["face_box"]
        assert 0 <= left < left + width <= 640
        assert 0 <= top < top + height <= 480
        assert 180 < width < 300


async def test_what_to_do_is_told(client: ClientSession, poser: Poser) -> None:
    for challenge, yaw, said in NOT_MET:
        status, body = await ask(client, FRAME, json=poser.frame(challenge, yaw))
        assert (status, body["success"]) == (200, False)
        assert said in body["message"]


async def test_without_a_face_there_is_no_box(client: ClientSession) -> None:
    file = BytesIO()
    Image.new("RGB", (640, 480), "grey").save(file, "PNG")
    sent = {"challenge": "front", "frame": data_url(file.getvalue(), "png")}
    status, body = await ask(client, FRAME, json=sent)
    assert (status, body["success"], body["face_box"]) == (200, False, None)
    assert body["message"].startswith("No face detected")
    assert body["debug_info"] == {"faces": 0}


async def test_pictures_held_sideways_are_measured_upright(
    client: ClientSession, poser: Poser
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(BytesIO(poser.photograph(-25)))
    for kind in ("jpeg", "png", "webp"):
        file = BytesIO()
        upright.transpose(Image.Transpose.ROTATE_90).save(file, kind, exif=exif.tobytes())
        sent = {"challenge": "right", "frame": data_url(file.getvalue(), kind)}
        status, body = await ask(client, FRAME, json=sent)
        assert (status, body["success"]) == (200, True), body


async def blink(client: ClientSession, poser: Poser, **more: str) -> list[bool]:
    """Open, shut, open, and what was said to each."""
    said = []
    for closure in (0.0, 1.0, 0.0):
        sent = poser.frame("blink", closure=closure) | more
        said.append((await ask(client, FRAME, json=sent))[1]["success"])
    return said


async def test_a_blink_takes_successive_pictures(
    client: ClientSession, poser: Poser, clock: Clock
) -> None:
    assert await blink(client, poser) == [False, False, True]
    status, body = await ask(client, FRAME, json=poser.frame("blink"))
    assert (status, body["success"], body["message"]) == (200, True, "Blink detected!")
    clock.time += 3
    _, body = await ask(client, FRAME, json=poser.frame("blink"))
    assert not body["success"], "it is remembered for three seconds"
    assert body["debug_info"]["min_ear_seen"] < body["debug_info"]["blink_threshold"]


@pytest.mark.usefixtures("clock")
async def test_one_persons_pictures_are_not_anothers(client: ClientSession, poser: Poser) -> None:
    for session, closure in (("one", 0.0), ("two", 1.0), ("one", 0.0), ("two", 0.0)):
        sent = poser.frame("blink", closure=closure) | {"session": session}
        _, body = await ask(client, FRAME, json=sent)
        assert not body["success"]
    assert await blink(client, poser, session="two") == [False, False, True]
    _, body = await ask(client, FRAME, json=poser.frame("blink") | {"session": "one"})
    assert not body["success"], "two's blink"


@pytest.mark.usefixtures("clock")
async def test_browsers_are_told_apart_by_their_cookies(
    client: ClientSession, poser: Poser
) -> None:
    def browser() -> ClientSession:
        return ClientSession(client._base_url, cookie_jar=CookieJar(unsafe=True))  # noqa: SLF001

    async with browser() as one, browser() as two:
        for closure in (0.0, 1.0):
            for each in (one, two):
                shut = closure if each is one else 0.0
                await ask(each, FRAME, json=poser.frame("blink", closure=shut))
        _, first = await ask(one, FRAME, json=poser.frame("blink"))
        _, second = await ask(two, FRAME, json=poser.frame("blink"))
    assert first["success"], "its first picture, before it had a cookie, counts"
    assert not second["success"]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"},
        {"User-Agent": "another browser"},
    ],
)
async def test_a_first_picture_is_not_answered_by_anothers_at_the_same_address(
    client: ClientSession, poser: Poser, headers: dict[str, str]
) -> None:
    assert await blink(client, poser) == [False, False, True]
    _, body = await ask(client, FRAME, json=poser.frame("blink"), headers=headers)
    assert not body["success"], "another's blink"
    assert (await ask(client, FRAME, json=poser.frame("blink")))[1]["success"]


@pytest.mark.usefixtures("clock")
async def test_a_page_of_another_origin_keeps_no_cookies_and_blinks_all_the_same(
    client: ClientSession, poser: Poser
) -> None:
    client.headers.update({"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"})
    assert await blink(client, poser) == [False, False, True]


async def test_a_blink_is_remembered_on_a_slow_line(
    client: ClientSession, poser: Poser, clock: Clock
) -> None:
    """A check of all pictures takes longer to arrive than it is."""

    async def slowly(body: dict[str, Any], seconds: float) -> AsyncIterator[bytes]:
        packed = json.dumps(body).encode()
        yield packed[:100]
        await asyncio.sleep(0.05)
        clock.time += seconds
        yield packed[100:]

    kind = {"Content-Type": "application/json"}
    for closure in (0.0, 1.0, 0.0):
        sent = slowly(poser.frame("blink", closure=closure), 2.5)
        _, body = await ask(client, FRAME, data=sent, headers=kind)
    assert body["success"]
    check = {"frames": [poser.frame("front"), poser.frame("blink")]}
    _, body = await ask(client, FRAMES, data=slowly(check, 10), headers=kind)
    assert body["success"], body


async def test_base64_may_be_in_lines_and_its_head_in_capitals(
    client: ClientSession, poser: Poser
) -> None:
    lines = base64.encodebytes(poser.photograph()).decode()
    for head in ("", "DATA:image/jpeg;BASE64, "):
        sent = {"challenge": "front", "frame": head + lines}
        assert (await ask(client, FRAME, json=sent))[1]["success"]


async def test_the_cookie_is_for_this_server_alone(client: ClientSession, poser: Poser) -> None:
    async with client.post(FRAME, json=poser.frame("front")) as response:
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    behind = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "check.example"}
    async with client.post(FRAME, json=poser.frame("front"), headers=behind) as response:
        assert "Secure" in response.headers["Set-Cookie"]
    chained = {"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "check.example, inner:80"}
    async with client.post(FRAME, json=poser.frame("front"), headers=chained) as response:
        assert "Secure" in response.headers["Set-Cookie"]


@pytest.mark.usefixtures("clock")
async def test_a_proxy_tells_addresses_apart(client: ClientSession, poser: Poser) -> None:
    for closure, peer in ((0.0, "203.0.113.1"), (1.0, "203.0.113.2"), (0.0, "203.0.113.1")):
        headers = {"X-Forwarded-For": f"10.0.0.1, {peer}"}
        sent = poser.frame("blink", closure=closure)
        _, body = await ask(client, FRAME, json=sent, headers=headers)
        assert not body["success"]


@pytest.mark.usefixtures("clock")
async def test_the_first_seeds_client_is_served(client: ClientSession, poser: Poser) -> None:
    """Its very requests: one picture a second for each step, and all of them again at the end."""
    steps = (
        ("front", [(0, 0)]),
        ("right", [(0, 0), (-12, 0), (-26, 0)]),
        ("left", [(0, 0), (26, 0)]),
        ("blink", [(0, 0), (0, 1), (0, 0)]),
    )
    captured = []
    headers = {"Content-Type": "application/json", "Origin": "https://localhost:5555"}
    for challenge, poses in steps:
        for yaw, closure in poses:
            frame = poser.frame(challenge, yaw, closure)
            status, body = await ask(client, FRAME, data=json.dumps(frame), headers=headers)
            assert status == 200
            assert set(body) == {"success", "message", "face_box", "debug_info"}
        assert body["success"], (challenge, body)
        captured.append(frame)
    sent = json.dumps({"frames": captured})
    status, body = await ask(client, FRAMES, data=sent, headers=headers)
    assert status == 200
    assert (body["success"], body["message"]) == (True, "Liveness verification successful")
    assert [each["challenge"] for each in body["results"]] == [step for step, _ in steps]
    assert all(set(each) == {"challenge", "success", "message"} for each in body["results"])


async def test_the_pictures_of_one_request_form_a_run(client: ClientSession, poser: Poser) -> None:
    run = [poser.frame("blink", closure=closure) for closure in (0.0, 0.0, 1.0, 0.0)]
    frames = [poser.frame("front"), *run, poser.frame("left", 26)]
    status, body = await ask(client, FRAMES, json={"frames": frames})
    assert (status, body["success"]) == (200, True), body
    assert len(body["results"]) == 6
    status, body = await ask(client, FRAMES, json={"frames": run[:3]})
    assert (status, body["success"]) == (200, False), "the eyes did not open again"
    assert body["message"] == "Liveness verification failed: Please blink your eyes."


async def test_the_first_failure_is_told(client: ClientSession, poser: Poser) -> None:
    frames = [poser.frame("front"), poser.frame("right", 25), poser.frame("left", 25)]
    status, body = await ask(client, FRAMES, json={"frames": frames})
    assert (status, body["success"]) == (200, False)
    assert "Wrong direction" in body["message"]
    assert [each["success"] for each in body["results"]] == [True, False, True]


BAD: list[tuple[Any, int, str]] = [
    ("{", 400, "not JSON"),
    ("[" * 5000, 400, "not JSON"),
    ("[" * 100_000, 400, "too many parts"),
    ('"frame"', 400, "object"),
    ({}, 400, "challenge is missing"),
    ({"challenge": "front"}, 400, "frame is missing"),
    ({"challenge": 5, "frame": ""}, 400, "challenge: "),
    ({"challenge": "front", "frame": None}, 400, "frame: "),
    ({"challenge": "wink", "frame": "AAAA"}, 400, "Unknown challenge: wink. Known are front"),
    ({"challenge": "x" * 5000, "frame": "AAAA"}, 400, "Unknown challenge"),
    ({"challenge": "front", "frame": ""}, 400, "empty"),
    ({"challenge": "front", "frame": "data:,"}, 400, "empty"),
    ({"challenge": "front", "frame": "data:image/jpeg;base64"}, 400, "no comma"),
    ({"challenge": "front", "frame": "data:image/jpeg,AAAA"}, 400, "not in base64"),
    ({"challenge": "front", "frame": "data:text/html;base64,AAAA"}, 400, "no picture"),
    ({"challenge": "front", "frame": "data:image/jpeg;base64,A-_A"}, 400, "base64"),
    ({"challenge": "front", "frame": "data:image/jpeg;base64,AAA"}, 400, "base64"),
    ({"challenge": "front", "frame": "AAAA"}, 400, "neither JPEG nor PNG nor WebP"),
    ({"challenge": "front", "frame": "/9j/AAAA"}, 400, "damaged"),
    ({"challenge": "front", "frame": "AAAA", "session": ""}, 400, "session"),
    ({"challenge": "front", "frame": "AAAA", "session": "x" * 200}, 400, "session"),
]


MANY_BAD: list[tuple[Any, str]] = [
    ({}, "frames is missing"),
    ({"frames": []}, "No frames provided"),
    ({"frames": [{"challenge": "front"}]}, "frames.0.frame is missing"),
    ({"frames": [{"challenge": "front", "frame": "AAAA"}] * 61}, "frames: "),
    ({"frames": [1] * 20_000}, "too many parts"),
    ({"frames": [{}] * 20_000}, "too many parts"),
    ({"frames": [{"challenge": "nod", "frame": "AAAA"}]}, "Unknown challenge: nod"),
    ({"frames": [{"challenge": "front", "frame": "AAAA"}]}, "Frame 1: The picture is neither"),
]


async def test_what_is_wrong_is_said(client: ClientSession) -> None:
    for sent, status, said in BAD:
        text = sent if isinstance(sent, str) else json.dumps(sent)
        headers = {"Content-Type": "application/json"}
        got, body = await ask(client, FRAME, data=text, headers=headers)
        assert (got, body["success"]) == (status, False), said
        assert said in body["message"]
        assert len(body["message"]) < 200
        assert body["face_box"] is None


async def test_what_is_wrong_with_many_is_said(client: ClientSession) -> None:
    for sent, said in MANY_BAD:
        status, body = await ask(client, FRAMES, json=sent)
        assert (status, body["success"]) == (400, False), said
        assert said in body["message"]
        assert body["results"] == []


def black(side: int) -> str:
    """A picture of many pixels in a kilobyte."""
    packed = BytesIO()
    Image.new("RGB", (side, side)).save(packed, "WebP", lossless=True)
    return base64.b64encode(packed.getvalue()).decode()


async def test_pictures_that_are_too_large_together_are_refused(client: ClientSession) -> None:
    frame = {"challenge": "front", "frame": black(4000)}
    status, body = await ask(client, FRAMES, json={"frames": [frame] * 60})
    assert (status, body["success"]) == (413, False)
    assert "60 million pixels" in body["message"]


async def test_nobody_works_for_who_is_gone(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Queue[None]()
    loop = asyncio.get_running_loop()

    def watched(*given: Any) -> Seen:
        loop.call_soon_threadsafe(looked.put_nowait, None)
        return look(*given)

    monkeypatch.setattr("liveness.api.frames.look", watched)
    frame = {"challenge": "front", "frame": black(1000)}
    asking = asyncio.create_task(ask(client, FRAMES, json={"frames": [frame] * 50}))
    await looked.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    status, _ = await ask(client, FRAME, json=frame)  # in the order of coming
    assert status == 200
    assert looked.qsize() < 40


async def test_another_type_is_refused(client: ClientSession) -> None:
    for path in (FRAME, FRAMES):
        status, body = await ask(client, path, data={"challenge": "front"})
        assert (status, body["success"]) == (415, False)
        assert "application/json" in body["message"]


async def test_too_large_a_body_is_refused(client: ClientSession) -> None:
    sent = BytesIO(json.dumps({"challenge": "front", "frame": "A" * 15_000_000}).encode())
    status, body = await ask(client, FRAME, data=sent, headers={"Content-Type": "application/json"})
    assert (status, body["success"]) == (413, False)
    assert "At most" in body["message"]


async def test_too_many_bytes_are_refused_before_they_come(client: ClientSession) -> None:
    for path, most in ((FRAME, MAX_FRAME), (FRAMES, MAX_FRAMES), ("/upload", MAX_UPLOAD)):
        kind = "multipart/form-data; boundary=x" if path == "/upload" else "application/json"
        sent = BytesIO(bytes(most + 1))
        async with client.post(path, data=sent, headers={"Content-Type": kind}) as response:
            assert response.status == 413
            assert response.headers["Cache-Control"] == "no-store"


async def test_a_body_that_bursts_is_refused(client: ClientSession) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(bytes(60_000_000))
    status, _ = await ask(client, FRAME, data=bomb, headers=headers)
    assert status == 413
    status, body = await ask(client, FRAME, data=b"no gzip", headers=headers)
    assert status == 400
    assert "message" in body


@pytest.mark.parametrize(("addresses", "refused"), [(4 * MOST_WAITING, 503), (1, 429)])
async def test_more_than_can_wait_are_sent_away_and_sessions_are_not(
    client: ClientSession, poser: Poser, addresses: int, refused: int
) -> None:
    sent = json.dumps(poser.frame("front"))
    headers = {"Content-Type": "application/json"}
    came = [{"X-Forwarded-For": f"203.0.113.{n % addresses}"} for n in range(4 * MOST_WAITING)]
    answers = await asyncio.gather(
        *(ask(client, FRAME, data=sent, headers=headers | each) for each in came)
    )
    statuses = {status for status, _ in answers}
    assert statuses == {200, refused}
    assert all(body["success"] is (status == 200) for status, body in answers)
    assert (await client.post("/api/sessions")).status == 201
    status, _ = await ask(client, FRAME, data=sent, headers=headers)
    assert status == 200, "there is room again"


async def test_preflights_work_as_in_the_seed(client: ClientSession) -> None:
    headers = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-requested-with",
    }
    for path in (FRAME, FRAMES, "/upload", "/download-model"):
        async with client.options(path, headers=headers) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            allowed = response.headers["Access-Control-Allow-Headers"]
            assert allowed == headers["Access-Control-Request-Headers"]
    sent = {"challenge": "front", "frame": base64.b64encode(b"x").decode()}
    async with client.post(FRAME, json=sent, headers={"Origin": "https://a.example"}) as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (FRAME, "application/json"),
        (FRAMES, "application/json"),
        ("/upload", "multipart/form-data; boundary=x"),
    ],
)
async def test_bodies_that_break_off_or_do_not_come_are_told(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    for module in ("frames", "upload"):
        monkeypatch.setattr(f"liveness.api.{module}.SEND_TIMEOUT", 0.2)
    url = client._base_url  # noqa: SLF001
    assert url is not None
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    for rest, status in (
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("Content-Length: 100\r\n\r\n{", 408),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", 408),
    ):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write((head + rest).encode())
        line = await asyncio.wait_for(reader.readline(), 5)
        assert line.split()[1] == str(status).encode(), rest
        writer.close()
        await writer.wait_closed()
