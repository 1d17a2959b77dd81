import pytest

from liveness.challenge.hints import obstacle
from liveness.challenge.names import Hint
from liveness.vision.observation import Face, Observation
from tests.people import BLANK, a_face


def seen(face: Face | None, faces: int = 1) -> Observation:
    return Observation(0, 0.0, faces, face, BLANK)


@pytest.mark.parametrize(
    ("face", "hint"),
    [
        (None, Hint.NO_FACE),
        (a_face(size=0.1), Hint.TOO_FAR),
        (a_face(size=0.95), Hint.TOO_CLOSE),
        (a_face(brightness=15), Hint.TOO_DARK),
        (a_face(brightness=30, contrast=4), Hint.TOO_DARK),
        (a_face(brightness=232), Hint.TOO_BRIGHT),
        (a_face(x=0.65), Hint.OFF_CENTRE),
        (a_face(sharpness=0.05), Hint.BLURRED),
        (a_face(), None),
    ],
)
def test_what_is_wrong_is_said(face: Face | None, hint: Hint | None) -> None:
    assert obstacle(seen(face), first=True) is hint


def test_a_second_face_is_said_before_anything_else() -> None:
    assert obstacle(seen(a_face(size=0.1), faces=2), first=True) is Hint.MANY_FACES


def test_dark_skin_in_good_light_is_not_called_dark() -> None:
    assert obstacle(seen(a_face(brightness=34, contrast=18)), first=True) is None


def test_a_turning_face_may_blur_and_lean_out() -> None:
    assert obstacle(seen(a_face(sharpness=0.05, x=0.65)), first=False) is None
    assert obstacle(seen(a_face(size=0.21)), first=False) is None
    assert obstacle(seen(a_face(size=0.21)), first=True) is Hint.TOO_FAR
