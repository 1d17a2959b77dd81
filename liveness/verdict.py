"""The decision about a session, drawn from what its challenges and its connection came to."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from liveness.challenge.sequence import ChallengeResult


class Reason(StrEnum):
    """Why a verdict is not `live`."""

    TIME_LIMIT = "time_limit"
    WRONG_MOVES = "wrong_moves"
    FACE_LOST = "face_lost"
    MANY_FACES = "many_faces"
    PEER_LEFT = "peer_left"
    NO_MEDIA = "no_media"
    NEVER_CONNECTED = "never_connected"
    DELETED = "deleted"
    SERVER_STOPPING = "server_stopping"
    SERVER_LOST = "server_lost"
    PRESENTATION_ATTACK = "presentation_attack"
    FACE_CHANGED = "face_changed"
    REPEATED_VIDEO = "repeated_video"
    FLAT_FACE = "flat_face"


ATTACKS = frozenset(
    {Reason.PRESENTATION_ATTACK, Reason.FACE_CHANGED, Reason.REPEATED_VIDEO, Reason.FLAT_FACE}
)
"""Reasons that are evidence of an attack, and not of a session that was cut short."""


class Decision(BaseModel):
    """What a session came to. `spoof_score`: probability that the face is a live one.

    `faces_compared`: whether it was looked into whether the person stays the same.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Literal["live", "spoof", "incomplete"]
    reasons: tuple[Reason, ...]
    challenges: tuple[ChallengeResult, ...]
    spoof_score: float | None
    faces_compared: bool = False  # verdicts that were kept or signed earlier do not say
    frames: int
    frame_rate: float
    finished_at: datetime


class Verdict(Decision):
    """What a relying party learns: the decision, and `token`, which proves who decided it."""

    token: str | None = Field(default=None, repr=False)


def decide(  # noqa: PLR0913 - all but two name themselves where they are called
    challenges: tuple[ChallengeResult, ...],
    reasons: tuple[Reason, ...],
    *,
    frames: int,
    seconds: float,
    finished_at: datetime,
    spoof_score: float | None = None,
    faces_compared: bool = False,
    attacked: bool = False,
) -> Verdict:
    """Draw the verdict of a session.

    `reasons`: everything that speaks against it. `seconds`: of video, by RTP timestamps.
    `attacked`: whether the scores say that no live face was seen, whatever ended the session.
    `spoof` needs evidence of an attack; `live` needs every challenge passed and no reason at all.
    """
    verdict: Literal["live", "spoof", "incomplete"]
    if attacked:
        reasons = (Reason.PRESENTATION_ATTACK, *reasons)
    if ATTACKS.intersection(reasons):
        verdict = "spoof"
    elif reasons or not challenges or not all(result.passed for result in challenges):
        verdict = "incomplete"
    else:
        verdict = "live"
    return Verdict(
        verdict=verdict,
        reasons=reasons,
        challenges=challenges,
        spoof_score=spoof_score,
        faces_compared=faces_compared,
        frames=frames,
        frame_rate=round((frames - 1) / seconds, 2) if seconds > 0 else 0.0,
        finished_at=finished_at,
    )
