import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.challenge.names import Challenge, Hint
from liveness.challenge.single import MOST_GAP, MOST_PICTURES, REMEMBERED, Run, facing, judge
from liveness.vision.observation import Face
from tests.people import a_face

FRONT, RIGHT, LEFT = Challenge.FRONT, Challenge.RIGHT, Challenge.LEFT
SHUT = 0.35


@pytest.mark.parametrize(
    ("yaw", "shown"),
    [(0, FRONT), (10, FRONT), (-10, FRONT), (17, LEFT), (30, LEFT), (-17, RIGHT), (-30, RIGHT)],
)
def test_one_picture_shows_one_direction(yaw: float, shown: Challenge) -> None:
    assert facing(a_face(yaw)) is shown


def test_between_two_directions_is_neither() -> None:
    assert facing(a_face(15.5)) is None
    assert facing(a_face(0, pitch=40)) is None
    assert facing(a_face(25, pitch=40)) is None


def test_a_tilted_print_is_no_turned_head() -> None:
    assert facing(a_face(25, aspect=1.16)) is LEFT
    assert facing(a_face(25, aspect=1.3)) is None


@pytest.mark.parametrize(
    ("challenge", "yaw", "hint"),
    [
        (FRONT, 5, Hint.PASSED),
        (FRONT, 25, Hint.LOOK_STRAIGHT),
        (RIGHT, -20, Hint.PASSED),
        (RIGHT, 0, Hint.TURN_MORE),
        (RIGHT, 20, Hint.WRONG_WAY),
        (LEFT, 20, Hint.PASSED),
        (LEFT, 12, Hint.TURN_MORE),
        (LEFT, -20, Hint.WRONG_WAY),
    ],
)
def test_what_to_do_is_told(challenge: Challenge, yaw: float, hint: Hint) -> None:
    assert judge(challenge, a_face(yaw)) is hint


def run(faces: Iterable[Face], interval: float) -> Run:
    made = Run()
    for number, face in enumerate(faces):
        made.add(face, number * interval)
    return made


def eyes(*openness: float) -> list[Face]:
    return [a_face(openness=each) for each in openness]


@pytest.mark.parametrize("interval", [0.1, 0.2, 0.5, 1.0, 3.0, 9.0])
def test_open_shut_open_is_a_blink_at_any_slow_rate(interval: float) -> None:
    assert run(eyes(1, SHUT, 1), interval).has_blinked
    assert run(eyes(1, 1, 1, SHUT, SHUT, 1), interval).has_blinked
    assert not run(eyes(1, 1, 1, 1, 1, 1), interval).has_blinked
    assert not run(eyes(1, 1, SHUT), interval).has_blinked
    assert not run(eyes(SHUT, SHUT, 1, 1), interval).has_blinked


def test_at_video_rate_a_blink_has_its_duration() -> None:
    frame = 1 / 30
    assert run(eyes(*[1] * 15, *[SHUT] * 5, *[1] * 5), frame).has_blinked
    assert not run(eyes(*[1] * 10, *[SHUT] * 24, *[1] * 6), frame).has_blinked, "held shut"
    assert not run(eyes(*[1] * 15, SHUT, *[1] * 5), frame).has_blinked, "one noisy frame"


def test_narrow_eyes_blink_as_well() -> None:
    assert run(eyes(0.6, 0.2, 0.6), 1.0).has_blinked


def test_a_nod_is_no_blink() -> None:
    assert not run([a_face(), a_face(pitch=-15, openness=SHUT), a_face()], 1.0).has_blinked


def test_turned_faces_do_not_tell_how_eyes_rest() -> None:
    wide = [a_face(25, openness=1.6) for _ in range(6)]
    assert run([*wide, *eyes(1, SHUT, 1)], 1.0).has_blinked


def test_a_blink_is_remembered_for_three_seconds() -> None:
    made = run(eyes(1, SHUT, 1), 1.0)
    assert made.blinked(2.0)
    assert made.blinked(2.0 + REMEMBERED)
    assert not made.blinked(2.1 + REMEMBERED)


def test_a_blink_before_it_was_asked_does_not_count() -> None:
    made = Run()
    for number, face in enumerate(eyes(1, SHUT, 1)):
        made.add(face, number, asked=False)
    assert not made.has_blinked
    for number, face in enumerate(eyes(1, SHUT, 1), start=3):
        made.add(face, number)
    assert made.has_blinked


def test_who_was_away_begins_anew() -> None:
    made = run(eyes(1, SHUT), 1.0)
    made.add(a_face(), 1.0 + MOST_GAP + 0.1)
    assert not made.has_blinked
    assert made.pictures == 1


def test_pictures_may_be_told_out_of_order() -> None:
    made = Run()
    for time, openness in ((0.0, 1.0), (2.0, 1.0), (1.0, SHUT)):
        made.add(a_face(openness=openness), time)
    assert made.has_blinked


def test_nothing_of_a_picture_is_kept_and_not_much_else() -> None:
    face = replace(a_face(), landmarks=np.ones((68, 2), np.float32))
    made = run([face] * 500, 0.1)
    assert made.pictures == MOST_PICTURES
    assert made.open_eyes == pytest.approx(0.3)
    kept = [seen.face.landmarks for seen in made._seen]  # noqa: SLF001
    assert not any(each.any() for each in kept)
    assert len({id(each) for each in kept}) == 1, "one for all"


@given(st.integers(0, 2**32), st.floats(0.1, 3.0))
def test_eyes_that_stay_open_never_blink(seed: int, interval: float) -> None:
    generator = random.Random(seed)
    noisy = [a_face(openness=1 + generator.uniform(-0.1, 0.1)) for _ in range(60)]
    assert not run(noisy, interval).has_blinked
