import random
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from liveness.challenge.names import Challenge
from liveness.challenge.plan import Plan
from liveness.testing.attackers import (
    EmptyRoom,
    LoopedRecording,
    SlideShow,
    StillPhoto,
    TwoFaces,
    WavedPrint,
)
from liveness.testing.portrait import Portrait
from liveness.testing.rehearsal import rehearse
from liveness.testing.source import Source
from liveness.verdict import Reason
from liveness.vision.landmarks import Landmarker

RECORDED = (Challenge.FRONT, Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK)
OTHER_ORDERS = [
    order
    for order in permutations((Challenge.RIGHT, Challenge.LEFT, Challenge.BLINK))
    if order != RECORDED[1:]
]

Attack = Callable[[Portrait], Source]
PICTURES: dict[str, Attack] = {
    "still photo": StillPhoto,
    "slides": SlideShow,
    "flat print": WavedPrint,
    "bent print": lambda portrait: WavedPrint(portrait, bend=60),
    "hollow print": lambda portrait: WavedPrint(portrait, bend=-60),
    "empty room": lambda portrait: EmptyRoom(portrait.size),
    "two faces": lambda portrait: TwoFaces.of(portrait.size),
}


@pytest.mark.parametrize("name", list(PICTURES))
def test_pictures_do_not_pass(name: str, portrait: Portrait, landmarker: Landmarker) -> None:
    plan = Plan(generator=random.Random(name))
    done = rehearse(PICTURES[name](portrait), plan, landmarker, time_limit=10)
    assert not done.passed, done


@pytest.mark.parametrize("name", ["still photo", "flat print", "bent print", "hollow print"])
def test_prints_are_good_enough_to_be_taken_for_a_face(
    name: str, portrait: Portrait, landmarker: Landmarker
) -> None:
    seen: list[int] = []
    plan = Plan(generator=random.Random(1))
    done = rehearse(
        PICTURES[name](portrait),
        plan,
        landmarker,
        time_limit=4,
        watch=lambda observation, _: seen.append(observation.faces),
    )
    assert len(done.challenges) > 1, "an attack that does not get past front shows nothing"
    assert np.mean([faces == 1 for faces in seen]) > 0.8


def test_both_of_two_faces_are_seen(portrait: Portrait, landmarker: Landmarker) -> None:
    seen: list[int] = []
    rehearse(
        TwoFaces.of(portrait.size),
        Plan(),
        landmarker,
        time_limit=2,
        watch=lambda observation, _: seen.append(observation.faces),
    )
    assert np.median(seen) == 2


@pytest.fixture(scope="module")
def recording(portrait: Portrait) -> LoopedRecording:
    return LoopedRecording.of(portrait, RECORDED)


@pytest.mark.parametrize("order", OTHER_ORDERS, ids="-".join)
def test_a_recording_does_not_pass_in_another_order(
    order: tuple[Challenge, ...], recording: LoopedRecording, landmarker: Landmarker
) -> None:
    done = rehearse(recording, Plan(order), landmarker)
    assert done.verdict.reasons in {(Reason.WRONG_MOVES,), (Reason.REPEATED_VIDEO,)}, done


def test_a_recording_is_of_somebody_who_would_have_passed(
    recording: LoopedRecording, landmarker: Landmarker
) -> None:
    """In its own order it goes through: what stops it is the order, or that it repeats itself."""
    assert rehearse(recording, Plan(RECORDED), landmarker).passed


def test_a_recording_repeats_itself_exactly(recording: LoopedRecording) -> None:
    first = recording.frame(1.0)
    assert np.array_equal(first, recording.frame(1.0 + recording.seconds))
    assert not np.array_equal(first, recording.frame(1.5))


def test_a_recording_needs_a_picture() -> None:
    with pytest.raises(ValueError, match="at least one"):
        LoopedRecording([])
