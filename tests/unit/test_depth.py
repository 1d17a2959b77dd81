"""Depth of heads and sheets, projected from the average face."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.challenge.names import Challenge, Hint
from liveness.challenge.sequence import Progress
from liveness.evidence.depth import LEAST_SHIFT, Depth, nose_shift
from liveness.vision.eyes import eyes
from liveness.vision.observation import Box, Face, Landmarks, Observation, Quality
from liveness.vision.pose import AVERAGE_FACE, align
from tests.people import BLANK

FLAT = 0.0
HEAD = 1.0
HOLLOW = -0.4


def view(yaw: float, *, depth: float = HEAD, seed: int = 0, noise: float = 0.01) -> Landmarks:
    """The average face turned about the vertical axis; `depth` 0 is a print of it."""
    angle = np.radians(yaw)
    solid = AVERAGE_FACE * (1, 1, depth)
    x = solid[:, 0] * np.cos(angle) - solid[:, 2] * np.sin(angle)
    points = np.column_stack([x, solid[:, 1]])
    points += np.random.default_rng(seed).normal(0, noise, points.shape)
    return (320 + 60 * points).astype(np.float32)


def face(points: Landmarks, yaw: float | None = None) -> Face:
    alignment = align(points)
    pose = alignment.pose if yaw is None else alignment.pose.__class__(yaw, 0.0, 0.0)
    return Face(
        box=Box(0.3, 0.3, 0.3, 0.4),
        landmarks=points,
        pose=pose,
        eyes=eyes(points),
        quality=Quality(0.4, 120, 40, 0.7),
        aspect=alignment.aspect if yaw is None else 1.0,
    )


def progress(step: int, challenge: Challenge, *, passed_all: bool = False) -> Progress:
    return Progress(step, 3, challenge, 0.5, Hint.TURN_MORE, passed_all)


def watch(depth: Depth, faces: Iterable[Face | None], start: float = 1.0) -> bool:
    """Show `faces` during a turn to the left, after a second at rest."""
    for k in range(30):
        rest = Observation(k, k / 30, 1, face(view(0, seed=k)), BLANK)
        assert not depth.update(rest, progress(0, Challenge.FRONT))
    return any(
        depth.update(
            Observation(30 + k, start + k / 30, 0 if each is None else 1, each, BLANK),
            progress(1, Challenge.LEFT),
        )
        for k, each in enumerate(faces)
    )


def turning(depth: float, far: float, frames: int = 40) -> Iterator[Face]:
    for k in range(frames):
        yaw = far * min(k / 15, 1)
        yield face(view(yaw, depth=depth, seed=100 + k))


def mislead(depth: float, frames: int = 12) -> Iterator[Face]:
    """A picture whose landmarks read as turned although it has no depth: a bent print."""
    for k in range(frames):
        yield face(view(25, depth=depth, seed=200 + k), yaw=20.0)


@pytest.mark.parametrize("far", [15, 20, 30, 40])
@pytest.mark.parametrize("side", [-1, 1])
def test_heads_have_depth(far: float, side: int) -> None:
    assert side * nose_shift(view(0), view(side * far, seed=1)) > LEAST_SHIFT
    assert not watch(Depth(), turning(HEAD, side * far))


@pytest.mark.parametrize("depth", [FLAT, HOLLOW])
def test_what_reads_as_turned_without_depth_is_flat(depth: float) -> None:
    assert abs(nose_shift(view(0), view(30, depth=FLAT, seed=1))) < LEAST_SHIFT / 2
    assert watch(Depth(), mislead(depth))


def test_a_tilted_sheet_is_flat_although_it_never_reads_as_turned() -> None:
    assert watch(Depth(), turning(FLAT, 50))


def test_a_short_turn_is_judged_at_its_end() -> None:
    assert watch(Depth(), [*mislead(FLAT, 4), face(view(0))])
    assert not watch(Depth(), [*mislead(FLAT, 2), face(view(0))]), "two frames tell nothing"


def test_one_bad_frame_is_no_flat_face() -> None:
    turn = list(turning(HEAD, 25))
    turn[20] = next(mislead(FLAT))
    turn[25] = face(view(50, depth=FLAT))
    assert not watch(Depth(), turn)


def test_small_turns_and_lost_faces_tell_nothing() -> None:
    assert not watch(Depth(), turning(FLAT, 12))
    assert not watch(Depth(), [None] * 30)


def test_a_turn_to_be_judged_is_waited_for_a_moment() -> None:
    depth = Depth()
    assert depth.decided
    assert not watch(depth, list(mislead(HEAD, 2)))
    assert not depth.decided
    later = Observation(99, 1.8, 1, next(mislead(HEAD, 1)), BLANK)
    assert not depth.update(later, progress(1, Challenge.LEFT, passed_all=True))
    assert depth.decided


def test_starting_over_takes_a_new_face_at_rest() -> None:
    depth = Depth()
    assert not watch(depth, turning(HEAD, 25))
    assert not watch(depth, turning(HEAD, -25))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-60, 60), min_size=1, max_size=60), st.integers(0, 99))
def test_a_head_is_never_flat_however_it_turns(yaws: list[float], seed: int) -> None:
    smooth = np.convolve(np.repeat(np.clip(yaws, -40, 40), 6), np.ones(12) / 12, "same")
    faces = [face(view(yaw, seed=seed + k)) for k, yaw in enumerate(smooth)]
    assert not watch(Depth(), faces)
