import cv2
import numpy as np
import pytest

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.track import to_frame
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.tracker import Tracker
from tests.people import FRAME

EMPTY = np.full((480, 640, 3), 110, np.uint8)


def follow(landmarker: Landmarker, pictures: list[Picture]) -> list[tuple[bool, int]]:
    """Whether there is a face, and how many, in each frame."""
    tracker = Tracker(landmarker)
    seen = []
    for frame, picture in enumerate(pictures):
        tracked, faces = tracker.update(Luma.of(to_frame(picture)), frame * FRAME)
        seen.append((tracked is not None, faces))
    return seen


def both(portrait: Portrait) -> Picture:
    half = portrait.render()[:, 160:480]
    return np.concatenate([half, half[:, ::-1]], axis=1)


def test_a_face_is_there_from_the_first_frame(portrait: Portrait, landmarker: Landmarker) -> None:
    assert follow(landmarker, [portrait.render()] * 3) == [(True, 1)] * 3


def test_an_empty_room_has_none(landmarker: Landmarker) -> None:
    assert not any(there for there, _ in follow(landmarker, [EMPTY] * 20))


def test_a_face_that_leaves_is_let_go_of_within_a_second(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    seen = follow(landmarker, [portrait.render()] * 10 + [EMPTY] * 40)
    assert seen[9][0]
    assert not any(there for there, _ in seen[-10:])


def test_a_face_that_comes_is_found_within_a_tenth_of_a_second(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    seen = follow(landmarker, [EMPTY] * 10 + [portrait.render()] * 5)
    assert seen[12][0]


def test_a_far_face_is_found_too(portrait: Portrait, landmarker: Landmarker) -> None:
    seen = follow(landmarker, [portrait.render(scale=0.55)] * 15)
    assert seen[-1] == (True, 1)


@pytest.mark.parametrize("step", [(9, 0), (0, 7), (-8, 5)])
def test_a_moving_face_is_followed(
    step: tuple[int, int], portrait: Portrait, landmarker: Landmarker
) -> None:
    pictures = [portrait.render(tx=step[0] * k, ty=step[1] * k) for k in range(12)]
    assert all(there for there, _ in follow(landmarker, pictures))


def test_a_tilted_head_is_followed_further_than_the_detector_sees_it(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    pictures = [portrait.render(roll=min(2 * k, 32)) for k in range(40)]
    assert all(there for there, _ in follow(landmarker, pictures))


def test_a_second_face_is_counted_within_a_second(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    seen = follow(landmarker, [both(portrait)] * 30)
    assert seen[-1] == (True, 2)


def test_a_second_face_that_leaves_is_counted_no_more(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    alone = both(portrait)
    alone[:, 320:] = 110
    seen = follow(landmarker, [both(portrait)] * 30 + [alone] * 40)
    assert seen[-1] == (True, 1)


SIZES = [(640, 480), (320, 240), (1280, 720), (320, 180), (640, 360), (480, 640), (640, 480)]


def test_a_face_is_followed_into_pictures_of_other_sizes(
    portrait: Portrait, landmarker: Landmarker
) -> None:
    """Each is cut out of the middle of what the camera sees, as senders and telephones do."""
    scene, tracker = portrait.render(yaw=-20), Tracker(landmarker)
    for number, (width, height) in enumerate(size for size in SIZES for _ in range(3)):
        scale = min(640 / width, 480 / height)
        x, y = round((640 - scale * width) / 2), round((480 - scale * height) / 2)
        picture = cv2.resize(scene[y : 480 - y, x : 640 - x], (width, height))
        tracked, faces = tracker.update(
            Luma.of(to_frame(np.asarray(picture, np.uint8))), number * FRAME
        )
        assert tracked is not None
        assert faces == 1
        assert tracked.alignment.pose.yaw == pytest.approx(portrait.rest_yaw - 20, abs=5)
        assert scale * tracked.region.side == pytest.approx(195, abs=15)
