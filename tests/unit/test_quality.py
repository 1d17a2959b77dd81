import cv2
import numpy as np
import pytest

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.track import to_frame
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Region
from liveness.vision.quality import quality

FACE = Region(320, 226, 180)


def luma(picture: Picture) -> Luma:
    return Luma.of(to_frame(picture))


def test_size_is_a_share_of_the_shorter_side(portrait: Portrait) -> None:
    assert quality(luma(portrait.render()), FACE).size == pytest.approx(180 / 480)


def test_blur_lowers_sharpness_and_darkness_does_not(portrait: Portrait) -> None:
    sharp = portrait.render()
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 6), np.uint8)
    dark = (sharp * 0.4).astype(np.uint8)
    expected = quality(luma(sharp), FACE)
    assert quality(luma(blurred), FACE).sharpness < 0.5 * expected.sharpness
    assert quality(luma(dark), FACE).sharpness == pytest.approx(expected.sharpness, rel=0.2)
    assert quality(luma(dark), FACE).brightness < 0.6 * expected.brightness
    assert quality(luma(dark), FACE).contrast < 0.6 * expected.contrast


@pytest.mark.parametrize("region", [Region(-300, 50, 100), Region(320, 240, 0.5)])
def test_a_face_outside_the_picture_has_no_light(region: Region, portrait: Portrait) -> None:
    assert quality(luma(portrait.render()), region).brightness == 0
