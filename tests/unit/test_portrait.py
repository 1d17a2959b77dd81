from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from liveness.testing.clip import challenge_clip, challenge_truths
from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.sensor import Sensor
from liveness.testing.track import to_frame
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.observation import Face
from tests.conftest import PEOPLE

See = Callable[[Picture], Face]


@pytest.fixture(scope="module")
def see(landmarker: Landmarker) -> See:
    """Measure one picture as if it were the first of a session."""

    def measure(picture: Picture) -> Face:
        face = Analyser(landmarker).analyse(Luma.of(to_frame(picture)), 0.0).face
        assert face is not None
        return face

    return measure


def openness(face: Face) -> float:
    return (face.eyes.right + face.eyes.left) / 2


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (480, 640), (320, 240)])
def test_a_frame_has_the_size_asked_for_and_one_face(size: tuple[int, int], see: See) -> None:
    frame = Portrait.astronaut(size=size).render()
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    assert see(frame).quality.size > 0.2


def test_at_rest_the_photograph_is_left_as_it_is(portrait: Portrait) -> None:
    difference = np.abs(portrait.render().astype(int) - portrait._empty_frame(1.0))  # noqa: SLF001 - the photograph itself
    assert difference.mean() < 1.0


@pytest.mark.parametrize("yaw", [-30, -20, 20, 30])
def test_yaw_turns_the_nose_to_the_side_it_says(yaw: float, portrait: Portrait, see: See) -> None:
    straight, turned = see(portrait.render()), see(portrait.render(yaw=yaw))
    nose, eyes = 30, (36, 45)

    def offset(face: Face) -> float:
        return float(face.landmarks[nose, 0] - face.landmarks[list(eyes), 0].mean())

    assert np.sign(offset(turned) - offset(straight)) == np.sign(yaw)
    assert turned.pose.yaw == pytest.approx(yaw + portrait.rest_yaw, abs=8)


def test_pitch_above_zero_looks_up_and_roll_above_zero_is_clockwise(
    portrait: Portrait, see: See
) -> None:
    assert see(portrait.render(pitch=12)).pose.pitch > see(portrait.render(pitch=-12)).pose.pitch
    assert see(portrait.render(roll=12)).pose.roll == pytest.approx(12, abs=4)


def test_lids_close_for_the_eyes_of_dlib(portrait: Portrait, see: See) -> None:
    open_eyes = openness(see(portrait.render()))
    shut_eyes = openness(see(portrait.render(blink_right=1, blink_left=1)))
    assert shut_eyes < 0.5 * open_eyes


def test_a_smile_widens_the_mouth_and_lifts_its_corners(see: See) -> None:
    corners, lower_lip = [48, 54], 57

    def mouth(smile: float) -> tuple[float, float]:
        points = see(Portrait.astronaut(smile=smile).render()).landmarks
        width = points[54, 0] - points[48, 0]
        return float(width), float(points[lower_lip, 1] - points[corners, 1].mean())

    (down, flat), (rest, even), (broad, lifted) = (mouth(smile) for smile in (-1.0, 0.0, 1.0))
    assert down < 0.95 * rest < rest < 0.95 * broad
    assert flat < even < lifted


def test_one_eye_closes_alone(portrait: Portrait) -> None:
    straight = portrait.render().astype(int)
    right = np.abs(portrait.render(blink_right=1) - straight).sum(axis=2)
    left = np.abs(portrait.render(blink_left=1) - straight).sum(axis=2)
    # The person's own right eye lies in the picture's left half.
    centre = np.average(np.arange(right.shape[1]), weights=right.sum(axis=0))
    assert centre < np.average(np.arange(left.shape[1]), weights=left.sum(axis=0)) - 40


def test_the_head_moves_and_the_camera_zooms(portrait: Portrait, see: See) -> None:
    face = see(portrait.render())
    moved, far = see(portrait.render(tx=20, ty=-10)), see(portrait.render(scale=0.7))
    step = moved.landmarks.mean(axis=0) - face.landmarks.mean(axis=0)
    assert step == pytest.approx([20, -10], abs=4)
    assert far.quality.size == pytest.approx(0.7 * face.quality.size, rel=0.15)


@pytest.mark.parametrize("name", list(PEOPLE))
def test_other_people_turn_and_blink_as_well(
    name: str, person: Callable[..., Portrait], see: See
) -> None:
    portrait = person(name)
    straight = see(portrait.render())
    assert straight.pose.yaw == pytest.approx(portrait.rest_yaw, abs=6)
    assert see(portrait.render(yaw=-20)).pose.yaw < straight.pose.yaw - 12
    assert see(portrait.render(yaw=20)).pose.yaw > straight.pose.yaw + 12
    assert openness(see(portrait.render(blink_right=1, blink_left=1))) < 0.65 * openness(straight)


def test_a_sensor_never_repeats_a_frame_and_keeps_its_noise_small(portrait: Portrait) -> None:
    scene = portrait.render()
    sensor = Sensor(portrait.size, noise=2.0, seed=1)
    first, second = sensor.expose(scene), sensor.expose(scene)
    assert not np.array_equal(first, second)
    middle = (scene > 20) & (scene < 235)
    assert (first.astype(int) - scene)[middle].std() == pytest.approx(2.0, abs=0.3)
    assert sensor.expose(scene, gain=0.5).mean() == pytest.approx(scene.mean() / 2, rel=0.05)


def test_a_clip_shows_every_challenge_with_its_truth(portrait: Portrait) -> None:
    truths = list(challenge_truths(portrait, fps=30))
    assert [truth.time for truth in truths] == pytest.approx(
        [index / 30 for index in range(len(truths))]
    )
    turns = [truth.turn for truth in truths]
    assert min(turns) == pytest.approx(-32) and max(turns) == pytest.approx(32)  # noqa: PT018 - one span
    assert turns.index(min(turns)) < turns.index(max(turns))
    shut = [truth.closure == 1.0 for truth in truths]
    assert sum(now and not before for before, now in pairwise(shut)) == 3
    assert all(abs(one - other) < 3 for one, other in pairwise(turns))


def test_the_same_seed_gives_the_same_clip(portrait: Portrait) -> None:
    def first(seed: int) -> Picture:
        return next(challenge_clip(portrait, seed=seed))[0]

    assert np.array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


def test_the_astronaut_looks_almost_straight(portrait: Portrait) -> None:
    assert abs(portrait.rest_yaw) < 3
