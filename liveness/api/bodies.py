"""What the first seed's client sends: JSON with pictures in base64, and what each should show."""

import base64
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from liveness.challenge.names import Challenge
from liveness.clients import MOST_NAME
from liveness.errors import InvalidBody, InvalidPicture
from liveness.pictures import MOST_BYTES

MOST_FRAMES = 60
"""Pictures of one request: a minute of the seed's client."""

MAX_FRAME = MOST_BYTES * 4 // 3 + 4096
"""Bytes: one picture in base64, and what is about it."""

MAX_FRAMES = 24 * 1024 * 1024
"""Bytes: 60 pictures of 300 KB; the seed's client sends 640x480, 60 KB each."""

MOST_MARKS = 10_000
"""Commas and brackets of a body, of which a picture needs four: each costs time and memory."""

# Many write base64 in lines.
_SPACE = b" \t\r\n"

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


Request = TypeVar("Request", bound=BaseModel)


def parse(model: type[Request], body: bytes) -> Request:
    """Read a body; raises `InvalidBody` with a sentence about the first thing that is wrong."""
    if sum(body.count(mark) for mark in b",[{") > MOST_MARKS:
        raise InvalidBody(f"The body has too many parts: at most {MOST_FRAMES} pictures are taken")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        raise InvalidBody("The body is not JSON")
    where = ".".join(str(part) for part in first["loc"]) or "The body"
    if first["type"] == "missing":
        raise InvalidBody(f"{where} is missing")
    raise InvalidBody(f"{where}: {first['msg']}")


def challenge_of(frame: Frame) -> Challenge:
    """Tell what a picture should show; raises `InvalidBody` for what nobody knows."""
    try:
        return Challenge(frame.challenge)
    except ValueError:
        shown = frame.challenge.encode("ascii", "replace").decode()[:_MOST_SHOWN]
        known = ", ".join(Challenge)
        raise InvalidBody(f"Unknown challenge: {shown}. Known are {known}") from None


def unpack(frame: str) -> bytes:
    """Take a data URL (RFC 2397) or base64 alone apart; raises `InvalidPicture`."""
    text = frame.encode("ascii", "replace").translate(None, _SPACE)
    if text[:5].lower() == b"data:":
        head, comma, text = text.partition(b",")
        kind = head.lower()
        if not comma:
            raise InvalidPicture("The data URL has no comma, and so no picture")
        if not text:
            raise InvalidPicture("The picture is empty: has the camera started?")
        if not kind.endswith(b";base64"):
            raise InvalidPicture("The data URL is not in base64")
        if not kind.startswith(b"data:image/"):
            raise InvalidPicture("The data URL is no picture's")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidPicture("The picture is not in base64, or not all of it") from None
