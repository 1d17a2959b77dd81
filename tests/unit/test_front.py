from dataclasses import replace

from liveness.challenge.baseline import Baseline
from liveness.challenge.front import Front
from liveness.challenge.names import Hint
from liveness.vision.observation import Face, Pose
from tests.people import FRAME, a_face


def frames_until_met(front: Front, faces: list[Face]) -> int | None:
    for frame, face in enumerate(faces):
        if front.update(face, frame * FRAME):
            return frame
    return None


def test_a_face_at_rest_is_met_in_under_a_second_and_sets_the_baseline() -> None:
    baseline = Baseline()
    met = frames_until_met(Front(baseline), [a_face(yaw=9, pitch=18)] * 30)
    assert met is not None
    assert 0.5 < met * FRAME < 1
    assert baseline.yaw == 9
    assert baseline.pitch == 18


def test_progress_rises_steadily() -> None:
    front = Front(Baseline())
    shown = []
    for frame in range(15):
        front.update(a_face(), frame * FRAME)
        shown.append(front.progress)
    assert shown == sorted(shown)
    assert shown[-1] > 0.6
    assert front.hint is Hint.HOLD


def test_a_turned_face_never_counts() -> None:
    front = Front(Baseline())
    assert frames_until_met(front, [a_face(yaw=22)] * 90) is None
    assert front.hint is Hint.LOOK_STRAIGHT


def test_a_tilted_head_never_counts() -> None:
    tilted = a_face()
    tilted = replace(tilted, pose=Pose(0, 0, 35))
    assert frames_until_met(Front(Baseline()), [tilted] * 90) is None


def test_a_swaying_head_must_come_to_rest() -> None:
    swaying = [a_face(yaw=12 * (-1) ** (frame // 6)) for frame in range(60)]
    assert frames_until_met(Front(Baseline()), swaying) is None


def test_an_interruption_starts_it_again() -> None:
    front = Front(Baseline())
    assert frames_until_met(front, [a_face()] * 15) is None
    front.interrupt()
    assert front.progress == 0
    assert not front.update(a_face(), 20 * FRAME)
