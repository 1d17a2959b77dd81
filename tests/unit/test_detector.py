import numpy as np
import pytest

from liveness.testing.portrait import Portrait
from liveness.testing.track import to_frame
from liveness.vision.detector import detect, detect_around
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Region


def scene(**look: float) -> Luma:
    return Luma.of(to_frame(Portrait.astronaut().render(**look)))


def test_a_face_is_found_where_it_is() -> None:
    (found,) = detect(scene(), 320)
    assert abs(found.region.x - 320) < 30
    assert 120 < found.region.side < 260


def test_lines_that_the_decoder_padded_are_no_obstacle() -> None:
    plain = Luma.of(to_frame(Portrait.astronaut(size=(480, 640)).render()))
    padded = Luma(np.pad(plain.plane, ((0, 0), (0, 32))), plain.width)
    assert detect(padded, 640) == detect(plain, 640) != []


def test_smaller_faces_need_the_larger_picture() -> None:
    far = scene(scale=0.45)
    assert not detect(far, 320)
    assert len(detect(far, 640)) == 1


def test_a_known_face_is_found_again_nearby() -> None:
    (known,) = detect(scene(), 320)
    again = detect_around(scene(tx=25, ty=-15), known.region)
    assert again is not None
    assert again.region.x - known.region.x == pytest.approx(25, abs=20)


def test_nothing_is_found_where_no_face_is() -> None:
    (known,) = detect(scene(), 320)
    empty = Luma(np.full((480, 640), 90, np.uint8), 640)
    assert detect(empty, 640) == []
    assert detect_around(empty, known.region) is None


@pytest.mark.parametrize(
    "region",
    [Region(-500, -500, 100), Region(5000, 20, 100), Region(320, 240, 5), Region(639, 479, 400)],
)
def test_a_region_at_or_over_the_edge_is_no_error(region: Region) -> None:
    detect_around(scene(), region)


@pytest.mark.parametrize("shape", [(4, 2560), (20_000, 33), (1, 1), (79, 2000)])
def test_pictures_too_narrow_for_a_face_are_no_error(shape: tuple[int, int]) -> None:
    assert detect(Luma(np.full(shape, 90, np.uint8), shape[1]), 320) == []
