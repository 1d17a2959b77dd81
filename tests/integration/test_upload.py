import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from aiohttp import ClientSession, FormData

from liveness.api.upload import verdict
from liveness.pictures import MOST_BYTES
from liveness.scores import log_average
from liveness.testing.attackers import ScreenReplay
from liveness.testing.fixtures import ServerFactory
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from tests.integration.plain import serving
from tests.stills import UPLOAD, Poser, ask, form, jpeg

PHONE = {"User-Agent": "okhttp/4.9.2", "Accept": "application/json"}


@pytest.fixture(scope="module")
def poser(portrait: Portrait) -> Poser:
    return Poser(portrait)


@pytest.fixture
async def client(spoof_models: Path) -> AsyncIterator[ClientSession]:
    async with serving(model_dir=spoof_models) as client:
        yield client


def screen(portrait: Portrait) -> bytes:
    """A telephone that shows the same face."""
    replay = ScreenReplay(Puppet(portrait), portrait.size)
    return jpeg(np.asarray(replay.frame(0.5), np.uint8))


async def test_the_second_seeds_client_is_served(client: ClientSession, poser: Poser) -> None:
    """Its very requests: a form with a picture, from a telephone that keeps no cookies."""
    for _ in range(3):
        picture = form(poser.photograph())
        status, body = await ask(client, UPLOAD, data=picture, headers=PHONE)
        assert status == 200
        assert set(body) == {"message", "status", "decision", "percentage"}
        assert (body["message"], body["status"]) == ("Image received", "success")
        assert body["decision"] == "Real"
        share, _, word = body["percentage"].partition("% ")
        assert word == "Real"
        assert 50 < float(share) <= 100
        assert len(share.partition(".")[2]) == 2


async def test_large_pictures_are_scored(client: ClientSession, poser: Poser) -> None:
    face, chance = poser.portrait.render(yaw=-poser.portrait.rest_yaw), np.random.default_rng(7)
    for kind, size, noise, least in ((".png", (960, 720), 3, 1), (".jpg", (3200, 2400), 30, 9)):
        picture = cv2.resize(face, size) + chance.integers(-noise, noise + 1, (*size[::-1], 3))
        options = [cv2.IMWRITE_JPEG_QUALITY, 100] if kind == ".jpg" else []
        content = cv2.imencode(kind, picture.clip(0, 255).astype(np.uint8), options)[1].tobytes()
        assert least * 2**20 < len(content) < MOST_BYTES
        status, body = await ask(client, UPLOAD, data=form(content))
        assert (status, body["message"]) == (200, "Image received")


async def test_a_screen_is_told(client: ClientSession, portrait: Portrait) -> None:
    status, body = await ask(client, UPLOAD, data=form(screen(portrait)))
    assert (status, body["decision"]) == (200, "Fake")
    assert body["percentage"].endswith("% Fake")
    assert float(body["percentage"].split("%")[0]) > 50


async def test_the_last_five_of_one_client_are_averaged(
    client: ClientSession, poser: Poser, portrait: Portrait
) -> None:
    live, fake = poser.photograph(), screen(portrait)
    shares = {}
    for name, picture in (("live", live), ("fake", fake)):
        _, body = await ask(client, UPLOAD, data=form(picture, session=f"only {name}"))
        share = float(body["percentage"].split("%")[0]) / 100
        shares[name] = share if body["decision"] == "Real" else 1 - share
    sent = ["fake"] * 2 + ["live"] * 5
    for count, name in enumerate(sent, start=1):
        sent_form = form(live if name == "live" else fake, session="both")
        _, body = await ask(client, UPLOAD, data=sent_form)
        last = [shares[each] for each in sent[max(0, count - 5) : count]]
        expected = verdict(log_average(last))
        assert body["decision"] == expected["decision"]
        said = float(body["percentage"].split("%")[0])
        assert said == pytest.approx(float(expected["percentage"].split("%")[0]), abs=0.02)


async def test_one_clients_scores_are_not_anothers(
    client: ClientSession, poser: Poser, portrait: Portrait
) -> None:
    live, fake = poser.photograph(), screen(portrait)
    _, alone = await ask(client, UPLOAD, data=form(live, session="alone"))
    for _ in range(3):
        _, person = await ask(client, UPLOAD, data=form(live, session="person"))
        _, attacker = await ask(client, UPLOAD, data=form(fake, session="attacker"))
        assert person["percentage"] == alone["percentage"]
        assert attacker["decision"] == "Fake"


async def test_what_cannot_be_scored_is_said(client: ClientSession, poser: Poser) -> None:
    grey = jpeg(np.full((480, 640, 3), 120, np.uint8))
    one = poser.portrait.render()[:, 100:540]
    two = jpeg(np.hstack([one, one]))
    small = Portrait.astronaut(face=0.2).render()[:, 160:480]
    crowd = jpeg(np.hstack([small] * 3))
    for picture, status, said in (
        (grey, 400, "No face detected"),
        (two, 400, "More than one face detected"),
        (crowd, 400, "More than one face detected"),
        (poser.photograph(35), 400, "look at the camera"),
        (b"", 400, "empty"),
        (b"no picture", 400, "neither JPEG nor PNG nor WebP"),
        (poser.photograph()[:5000], 400, "damaged"),
    ):
        got, body = await ask(client, UPLOAD, data=form(picture))
        assert (got, body["status"]) == (status, "error"), said
        assert said in body["message"]
    _, body = await ask(client, UPLOAD, data=form(grey))
    assert body == {"message": "No face detected", "status": "error"}, "the seed's own body"


async def test_what_is_no_form_is_said(client: ClientSession, poser: Poser) -> None:
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    named = b'--x\r\nContent-Disposition: form-data; name="picture"\r\n'
    nested = b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
    plain = named + b"\r\n" + poser.photograph() + b"\r\n--x--\r\n"
    assert (await ask(client, UPLOAD, data=plain, headers=head))[0] == 200
    encoded = named + b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n"
    for sent, headers, status, said in (
        (poser.photograph(), {"Content-Type": "image/jpeg"}, 415, "multipart/form-data"),
        (b"", head, 400, "damaged"),
        (b"--y\r\n\r\n--y--", head, 400, "damaged"),
        (named, head, 400, "damaged"),
        (encoded, head, 400, "send it as it is"),
        (b"--x--\r\n", head, 400, "no file named picture"),
        (b"\r\n" * 2000 + plain, head, 400, "damaged"),  # it would be searched line by line
        (nested + b"\r\n" * 2000 + b"--y--\r\n" + plain, head, 400, "damaged"),
        (b"a=b", {"Content-Type": "multipart/form-data"}, 400, "damaged"),
    ):
        got, body = await ask(client, UPLOAD, data=sent, headers=headers)
        assert (got, body["status"]) == (status, "error"), body
        assert said in body["message"]
    other = FormData({"other": "y"})
    other.add_field("file", b"x", filename="x")
    got, body = await ask(client, UPLOAD, data=other)
    assert (got, body["message"]) == (400, "The form has no file named picture")
    many = FormData()
    for number in range(40):
        many.add_field(f"field{number}", b"x", filename="x")
    assert (await ask(client, UPLOAD, data=many))[0] == 413


async def test_without_a_model_it_is_unavailable(
    liveness_servers: ServerFactory, tmp_path: Path, poser: Poser
) -> None:
    server = await liveness_servers(model_dir=tmp_path)
    async with ClientSession(server.url) as client:
        status, body = await ask(client, UPLOAD, data=form(poser.photograph()))
    assert (status, body["status"]) == (503, "error")
    assert "no anti-spoof model" in body["message"]


async def test_many_at_once_are_answered(client: ClientSession, poser: Poser) -> None:
    picture = poser.photograph()
    answers = await asyncio.gather(
        *(ask(client, UPLOAD, data=form(picture, session=str(each))) for each in range(10))
    )
    assert {status for status, _ in answers} == {200}
    assert len({body["percentage"] for _, body in answers}) == 1


@pytest.mark.parametrize(
    ("average", "decision", "percentage"),
    [
        (0.9731, "Real", "97.31% Real"),
        (1.0, "Real", "100.00% Real"),
        (0.5, "Fake", "50.00% Fake"),
        (0.0, "Fake", "100.00% Fake"),
        (0.1234, "Fake", "87.66% Fake"),
    ],
)
def test_the_seeds_words(average: float, decision: str, percentage: str) -> None:
    assert verdict(average) == {"decision": decision, "percentage": percentage}
