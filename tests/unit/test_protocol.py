import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from liveness.challenge.names import Challenge, Hint
from liveness.protocol import ErrorCode, ErrorMessage, Ping, Pong, State, VerdictMessage
from liveness.verdict import Reason, decide


def test_a_state_has_the_fields_of_version_1() -> None:
    state = State(
        frame=1,
        time=0.5,
        step=0,
        steps=4,
        challenge=Challenge.FRONT,
        progress=0,
        hint=Hint.LOOK_STRAIGHT,
        face=None,
        faces=0,
    )
    assert list(json.loads(state.model_dump_json())) == [
        *("type", "frame", "time", "step", "steps", "challenge", "progress", "hint"),
        *("face", "faces", "spoof_score"),
    ]


def test_a_verdict_is_sent_as_it_is_kept() -> None:
    now = datetime.now(UTC)
    verdict = decide((), (Reason.NO_MEDIA,), frames=0, seconds=0, finished_at=now)
    sent = json.loads(VerdictMessage(**verdict.model_dump()).model_dump_json())
    assert sent.pop("type") == "verdict"
    assert sent == json.loads(verdict.model_dump_json())


def test_messages_tell_their_type() -> None:
    assert json.loads(Pong().model_dump_json()) == {"type": "pong"}
    error = ErrorMessage(code=ErrorCode.INTERNAL, detail="x")
    assert json.loads(error.model_dump_json())["type"] == "error"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"type": "pong"}', '{"type": 1}'])
def test_only_a_ping_is_a_ping(text: str) -> None:
    with pytest.raises(ValidationError):
        Ping.model_validate_json(text)
