import pytest

from liveness.challenge.names import Challenge, Hint
from liveness.protocol import FaceBox, State
from liveness.states import STATE_INTERVAL, worth_sending

FACE = FaceBox(x=0.4, y=0.3, width=0.2, height=0.4)
SENT = State(
    frame=10,
    time=1.0,
    step=1,
    steps=4,
    challenge=Challenge.RIGHT,
    progress=0.5,
    hint=Hint.TURN_MORE,
    face=FACE,
    faces=1,
)


def later(**changed: object) -> State:
    return SENT.model_copy(update={"frame": 11, "time": 1.03} | changed)


def test_the_first_is_sent() -> None:
    assert worth_sending(None, SENT)


def test_what_nobody_would_see_is_not_sent() -> None:
    assert not worth_sending(SENT, later())
    moved = FACE.model_copy(update={"x": FACE.x + 0.019, "height": FACE.height - 0.019})
    assert not worth_sending(SENT, later(progress=0.519, face=moved))


@pytest.mark.parametrize(
    "changed",
    [
        {"step": 2},
        {"challenge": Challenge.LEFT},
        {"hint": Hint.HOLD},
        {"faces": 2},
        {"progress": 0.52},
        {"progress": 0.48},
        {"face": None},
        {"face": FACE.model_copy(update={"y": FACE.y - 0.021})},
        {"face": FACE.model_copy(update={"width": FACE.width + 0.021})},
        {"time": SENT.time + STATE_INTERVAL + 0.001},
    ],
)
def test_what_can_be_seen_is_sent(changed: dict[str, object]) -> None:
    assert worth_sending(SENT, later(**changed))


def test_a_face_that_comes_is_sent() -> None:
    assert worth_sending(later(face=None), later())
    assert not worth_sending(later(face=None), later(face=None))


def test_a_slow_camera_is_still_heard_twice_a_second() -> None:
    slowest_frame = 0.1
    assert STATE_INTERVAL + slowest_frame <= 0.5


def test_once_all_steps_have_passed_only_the_verdict_follows() -> None:
    over = later(step=3, hint=Hint.PASSED, progress=1.0)
    assert worth_sending(SENT, over)
    assert not worth_sending(over, over.model_copy(update={"face": None, "time": 9.0}))
    # Unless somebody who was too quick for the scores is asked to stay.
    assert worth_sending(over, over.model_copy(update={"hint": Hint.LOOK_STRAIGHT}))
    # A step in between is not the end.
    between = later(hint=Hint.PASSED)
    assert worth_sending(between, between.model_copy(update={"time": 9.0}))
