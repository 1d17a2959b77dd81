import cv2
import numpy as np
import pytest

from liveness.pictures import read_picture
from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture as Pixels
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker
from liveness.vision.still import observe


def luma(pixels: Pixels) -> Luma:
    return read_picture(cv2.imencode(".jpg", pixels)[1].tobytes()).luma


@pytest.mark.parametrize("yaw", [-30.0, -15.0, 0.0, 15.0, 30.0])
def test_one_picture_tells_the_pose(landmarker: Landmarker, portrait: Portrait, yaw: float) -> None:
    seen = observe(landmarker, luma(portrait.render(yaw=yaw - portrait.rest_yaw)), 12.5)
    assert (seen.frame, seen.time, seen.faces) == (0, 12.5, 1)
    assert seen.face is not None
    assert seen.face.pose.yaw == pytest.approx(yaw, abs=8)


def test_small_faces_are_found_at_once(landmarker: Landmarker, portrait: Portrait) -> None:
    far = np.full((480, 640, 3), 90, np.uint8)
    assert (
        observe(landmarker, luma(np.asarray(cv2.resize(far, (1280, 960)), np.uint8)), 0.0).faces
        <= 1
    )
    near = cv2.resize(portrait.render(), (320, 240), interpolation=cv2.INTER_AREA)
    far[100:340, 160:480] = near
    seen = observe(landmarker, luma(far), 0.0)
    assert seen.face is not None
    assert seen.face.quality.size < 0.25


def test_two_people_are_counted(landmarker: Landmarker, portrait: Portrait) -> None:
    one = portrait.render()[:, 100:540]
    assert observe(landmarker, luma(np.hstack([one, one])), 0.0).faces == 2


def test_where_nobody_is_nobody_is_found(landmarker: Landmarker) -> None:
    with_nobody = luma(np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8))
    assert observe(landmarker, with_nobody, 0.0).face is None
