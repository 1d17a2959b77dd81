"""The messages of the data channel, version 1: JSON objects told apart by their `type`."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from liveness.challenge.names import Challenge, Hint
from liveness.verdict import Verdict

CHANNEL_LABEL = "liveness"


class Message(BaseModel):
    """What every message is: a JSON object that does not change."""

    model_config = ConfigDict(frozen=True)


class FaceBox(Message):
    """The followed face, 0..1 of the unmirrored picture."""

    x: float
    y: float
    width: float
    height: float


class State(Message):
    """Where the person stands after one frame."""

    type: Literal["state"] = "state"
    frame: int
    time: float
    step: int
    steps: int
    challenge: Challenge
    progress: float
    hint: Hint
    face: FaceBox | None
    faces: int
    spoof_score: float | None = None


class VerdictMessage(Verdict):
    """The verdict, sent once, before the server closes the connection."""

    type: Literal["verdict"] = "verdict"


class ErrorCode(StrEnum):
    """What an error message can tell a client."""

    INTERNAL = "internal"
    VIDEO_TOO_LARGE = "video_too_large"


class ErrorMessage(Message):
    """Something went wrong on the server's side."""

    type: Literal["error"] = "error"
    code: ErrorCode
    detail: str


class Ping(Message):
    """A client that is still there, every five seconds."""

    type: Literal["ping"]


class Pong(Message):
    """The answer to a ping."""

    type: Literal["pong"] = "pong"
