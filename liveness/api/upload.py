"""The second seed's call: tells whether the face in a picture is a live person's."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError

from liveness.api.http import read_body
from liveness.api.seeds import (
    OUTCOME,
    SEND_TIMEOUT,
    STILLS,
    Seen,
    json,
    look,
    now,
    remember,
    seed_call,
    settle,
    tray_of,
    visit,
)
from liveness.clients import MOST_NAME
from liveness.errors import InvalidBody, ModelMissing, TooLarge, WrongType
from liveness.pictures import MOST_BYTES
from liveness.registry import Registry
from liveness.vision.spoof import MOST_YAW

THRESHOLD = 0.5
"""The seed's: above it a face is real. Sessions have their own."""

PICTURE = "picture"
SESSION = "session"

MAX_UPLOAD = MOST_BYTES + 64 * 1024
"""Bytes: a picture, and what is about it."""

MOST_PARTS = 16

MOST_LINES = 1024
"""Of a form, outside its fields' contents: boundaries, and at most a few headers a field."""

# Encodings that change nothing; others were for mail (RFC 7578 section 4.7).
_PLAIN = {"", "binary", "7bit", "8bit"}

routes = web.RouteTableDef()


@dataclass(slots=True)
class _Form:
    picture: bytes | None = None
    session: str | None = None


def _error(message: str) -> dict[str, Any]:
    return {"message": message, "status": "error"}


class NoFace(InvalidBody):
    """The picture can be read, and shows no face that can be scored."""

    code = "no_face"
    title = "No face detected"


@routes.post("/upload")
@seed_call("upload", _error)
async def upload(request: web.Request) -> web.Response:
    """Score the face of a picture, and answer with the average of this client's last scores."""
    stills = request.app[STILLS]
    if stills.registry.sight.classifier is None:
        raise ModelMissing("There is no anti-spoof model on this server")
    with tray_of(request) as tray:
        if request.content_type != "multipart/form-data":
            raise WrongType("Send a form (multipart/form-data) with a file named picture")
        body = await read_body(request, MAX_UPLOAD, SEND_TIMEOUT, tray.hold)
        arrived = now()
        form = await _read_form(request, body)
        if form.picture is None:
            raise InvalidBody("The form has no file named picture")
        await settle(request, form.session, body)
        job = partial(_score, form.picture, stills.registry, arrived)
        score = await tray.work(job)
    stills.registry.metrics.scores.labels("upload").observe(score)
    found = visit(request, form.session, arrived)
    for client in found.clients:
        client.scores.add(score)
    decided = verdict(found.clients[0].scores.average or 0.0)
    request[OUTCOME] = decided["decision"].lower()
    answer = {"message": "Image received", "status": "success"} | decided
    return remember(request, json(answer), found)


def verdict(average: float) -> dict[str, str]:
    """Say what an average, 0..1, comes to, in the seed's words."""
    if average > THRESHOLD:
        return {"decision": "Real", "percentage": f"{100 * average:.2f}% Real"}
    return {"decision": "Fake", "percentage": f"{100 - 100 * average:.2f}% Fake"}


def _score(content: bytes, registry: Registry, arrived: float) -> float:
    """Find the face and score it: work for a thread."""
    seen = look(content, registry, arrived)
    _expect_one_face(seen)
    face, model = seen.observation.face, registry.sight.classifier
    if face is None or model is None:
        raise NoFace
    return model.score(seen.picture.frame, face.landmarks)


def _expect_one_face(seen: Seen) -> None:
    face = seen.observation.face
    if face is None:
        raise NoFace
    if seen.observation.faces > 1:
        raise NoFace("More than one face detected: only one person may be in the picture")
    if abs(face.pose.yaw) > MOST_YAW:
        raise NoFace("The face is turned away: please look at the camera")


async def _read_form(request: web.Request, body: bytes) -> _Form:
    """Take the form apart (RFC 7578); raises `RequestError`s."""
    form = _Form()
    try:
        reader = MultipartReader(request.headers, _stream(body))
        for _ in range(MOST_PARTS):
            part = await reader.next()
            if part is None:
                return form
            if isinstance(part, BodyPartReader):
                await _take(part, form)
    except (ValueError, LookupError, RuntimeError, HttpProcessingError):
        # What aiohttp's reader raises for forms that are none.
        raise InvalidBody("The form is damaged: its parts cannot be told apart") from None
    raise TooLarge(f"A form has at most {MOST_PARTS} fields")


async def _take(part: BodyPartReader, form: _Form) -> None:
    if part.name not in {PICTURE, SESSION}:
        return
    if part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "").lower() not in _PLAIN:
        raise InvalidBody(f"{part.name} is encoded; send it as it is")
    content = bytes(await part.read())
    if part.name == PICTURE:
        form.picture = content
        return
    form.session = content.decode()
    if not 0 < len(form.session) <= MOST_NAME:
        raise InvalidBody(f"session has 1 to {MOST_NAME} characters")


class _Lines(StreamReader):
    """A form, for a reader that looks for boundaries line by line and lets nobody in meanwhile."""

    _lines = 0

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """Read a line; raises `ValueError` when that is asked too often."""
        self._lines += 1
        if self._lines > MOST_LINES:
            raise ValueError("too many lines")
        return await super().readline(max_line_length=max_line_length)


def _stream(body: bytes) -> StreamReader:
    """Give the form's reader what it reads from: a body that has come whole, and fits in."""
    loop = asyncio.get_running_loop()
    stream = _Lines(BaseProtocol(loop), len(body), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
