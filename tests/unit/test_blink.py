import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge.baseline import Baseline
from liveness.challenge.blink import Blink
from liveness.challenge.names import Hint
from liveness.vision.observation import Face
from tests.people import FRAME, a_face


def blinks(faces: list[Face], interval: float = FRAME) -> int:
    baseline = Baseline()
    baseline.learn([a_face()])
    blink = Blink(baseline)
    return sum(blink.update(face, frame * interval) for frame, face in enumerate(faces))


def closing(frames: int, openness: float = 0.4) -> list[Face]:
    return [a_face()] * 10 + [a_face(openness=openness)] * frames + [a_face()] * 10


@pytest.mark.parametrize("frames", [2, 3, 6, 12, 15])
def test_a_closure_of_a_blinks_length_is_one_blink(frames: int) -> None:
    assert blinks(closing(frames)) == 1


@pytest.mark.parametrize("rate", [10, 15, 24, 60])
def test_a_blink_of_a_fifth_of_a_second_is_seen_at_any_frame_rate(rate: int) -> None:
    assert blinks(closing(round(rate / 5)), 1 / rate) == 1


def test_below_ten_pictures_a_second_one_closed_picture_is_a_blink() -> None:
    assert blinks([a_face(), a_face(openness=0.4), a_face()], 1.0) == 1


def test_one_noisy_frame_is_none() -> None:
    assert blinks(closing(1)) == 0


def test_eyes_held_shut_are_none() -> None:
    assert blinks(closing(25)) == 0


def test_eyes_that_never_open_again_are_none() -> None:
    assert blinks([a_face()] * 5 + [a_face(openness=0.4)] * 100) == 0


def test_eyes_that_were_never_open_are_none() -> None:
    assert blinks([a_face(openness=0.4)] * 10 + [a_face()] * 10) == 0


def test_a_wink_is_none() -> None:
    faces = [a_face()] * 10 + [a_face(wink=0.7)] * 5 + [a_face()] * 10
    assert blinks(faces) == 0


def test_a_nod_is_none() -> None:
    nod = [
        a_face(pitch=-18 * math.sin(k / 8 * math.pi), openness=1 - 0.5 * math.sin(k / 8 * math.pi))
        for k in range(9)
    ]
    assert blinks([a_face()] * 10 + nod + [a_face()] * 10) == 0


def test_a_nodded_print_is_none() -> None:
    nod = [
        a_face(openness=1 - shrunk, aspect=1 - shrunk)
        for shrunk in (0.4 * math.sin(k / 8 * math.pi) for k in range(9))
    ]
    assert blinks([a_face()] * 10 + nod + [a_face()] * 10) == 0


def test_lashes_taken_for_an_open_eye_do_not_split_a_blink() -> None:
    dips = [a_face(openness=openness) for openness in (0.64, 0.83, 0.81, 0.9, 0.66)]
    assert blinks([a_face()] * 10 + dips + [a_face()] * 10) == 1


def test_eyes_that_narrow_in_a_turn_are_none() -> None:
    turn = [a_face(yaw=2 * k, openness=0.6 if 3 < k < 9 else 1) for k in range(15)]
    assert blinks([a_face()] * 10 + turn + turn[::-1] + [a_face()] * 10) == 0


def test_lids_that_open_slowly_for_the_last_part_do_not_make_it_late() -> None:
    faces = [a_face()] * 10 + [a_face(openness=0.4)] * 4 + [a_face(openness=0.8)] * 20
    assert blinks(faces) == 1


def test_progress_moves_with_the_lids() -> None:
    blink = Blink(Baseline())
    shown = []
    for frame, openness in enumerate((1.16, 1.05, 0.95, 0.8, 0.6)):
        blink.update(a_face(openness=openness), frame * FRAME)
        shown.append(blink.progress)
    assert shown == sorted(shown)
    assert shown[0] == 0
    assert 0.5 < shown[-1] < 1


def test_someone_whose_eyes_cannot_be_seen_is_told() -> None:
    blink = Blink(Baseline())
    for frame in range(240):
        blink.update(a_face(), frame * FRAME)
    assert blink.hint is Hint.EYES_HIDDEN


@given(st.lists(st.floats(0.86, 1.4), min_size=20, max_size=120))
def test_noise_on_open_eyes_never_makes_a_blink(noise: list[float]) -> None:
    assert blinks([a_face(openness=openness) for openness in noise]) == 0
