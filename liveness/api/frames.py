"""The first seed's calls: one picture at a time, or those of a whole check at once."""

import base64
import binascii
from functools import partial
from typing import Annotated, Any

from aiohttp import hdrs, web
from pydantic import BaseModel, Field, ValidationError

from liveness.api.http import REGISTRY, read_body
from liveness.api.seeds import (
    SEND_TIMEOUT,
    STILLS,
    Seen,
    in_shape,
    json,
    look,
    now,
    remember,
    visit,
)
from liveness.challenge.baseline import SHUT
from liveness.challenge.hints import obstacle
from liveness.challenge.names import Challenge, Hint
from liveness.challenge.single import Run, facing, judge
from liveness.clients import MOST_NAME
from liveness.errors import InvalidBody, InvalidPicture, WrongType
from liveness.pictures import MOST_BYTES
from liveness.sentences import sentence
from liveness.vision.observation import Face

MOST_FRAMES = 60
"""Pictures of one request: a minute of the seed's client."""

MAX_FRAME = MOST_BYTES * 4 // 3 + 4096
"""Bytes: one picture in base64, and what is about it."""

MAX_FRAMES = 24 * 1024 * 1024
"""Bytes: 60 pictures of 300 KB; the seed's client sends 640x480, 60 KB each."""

_ENLARGED = 1.2
"""The seed's box is a fifth larger than dlib's."""

_MOST_SHOWN = 40
"""Characters of what a client sent that an error repeats."""

Session = Annotated[str | None, Field(min_length=1, max_length=MOST_NAME)]


class Frame(BaseModel):
    """A picture, as a data URL or as base64 alone, and what it should show."""

    challenge: str
    frame: str


class FrameRequest(Frame):
    """The body of process-frame."""

    session: Session = None


class FramesRequest(BaseModel):
    """The body of liveness-detection."""

    frames: tuple[Frame, ...] = Field(max_length=MOST_FRAMES)
    session: Session = None


routes = web.RouteTableDef()


def _frame_error(message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "face_box": None, "debug_info": {}}


def _frames_error(message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "results": []}


@routes.post("/api/process-frame")
@in_shape(_frame_error)
async def process_frame(request: web.Request) -> web.Response:
    """Tell whether one picture meets a challenge."""
    arrived = now()
    stills = request.app[STILLS]
    with stills.desk.tray() as tray:
        body = await _body(request, MAX_FRAME, tray.hold)
        wanted, challenge, seen = await stills.desk.work(partial(_look, body, stills, arrived))
    found = visit(request, wanted.session, arrived)
    for client in found.clients:
        _follow(client.run, seen)
    hint = _judge(challenge, seen, found.clients[0].run)
    answer = {
        "success": hint is Hint.PASSED,
        "message": sentence(challenge, hint),
        "face_box": _box(seen),
        "debug_info": _debug(seen, found.clients[0].run, challenge),
    }
    return remember(request, json(answer), found)


def _look(body: bytes, stills: Any, arrived: float) -> tuple[FrameRequest, Challenge, Seen]:
    wanted = _parse(FrameRequest, body)
    challenge = _challenge(wanted.challenge)
    return wanted, challenge, look(unwrap(wanted.frame), stills.registry, arrived)


@routes.post("/api/liveness-detection")
@in_shape(_frames_error)
async def liveness_detection(request: web.Request) -> web.Response:
    """Tell whether each picture of a check meets its challenge.

    Those for `blink` are the successive pictures of one run, and are met by one blink together; one
    that process-frame has just seen of the same client counts as well.
    """
    arrived = now()
    stills = request.app[STILLS]
    with stills.desk.tray() as tray:
        body = await _body(request, MAX_FRAMES, tray.hold)
        wanted = await stills.desk.work(partial(_parse, FramesRequest, body))
        if not wanted.frames:
            raise InvalidBody("No frames provided")
        challenges = [_challenge(frame.challenge) for frame in wanted.frames]
        shown = []
        for index, frame in enumerate(wanted.frames):
            job = partial(_look_at, frame, stills, arrived + index * _INTERVAL, index + 1)
            shown.append(await stills.desk.work(job))
    found = visit(request, wanted.session, arrived)
    return remember(request, json(_results(challenges, shown, found.clients[0].run)), found)
