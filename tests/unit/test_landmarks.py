from pathlib import Path

import numpy as np
import pytest

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture
from liveness.testing.track import to_frame
from liveness.vision.detector import detect
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region

FACE = Region(320, 236, 185)


def luma(picture: Picture) -> Luma:
    return Luma.of(to_frame(picture))


def test_points_lie_on_the_face(portrait: Portrait, landmarker: Landmarker) -> None:
    points = landmarker.find(luma(portrait.render()), FACE)
    assert points.shape == (68, 2)
    parts = ((36, 42), (42, 48), (48, 68))
    right_eye, left_eye, mouth = (points[start:end].mean(axis=0) for start, end in parts)
    assert right_eye[0] < mouth[0] < left_eye[0]
    assert mouth[1] > max(right_eye[1], left_eye[1]) + 30


@pytest.mark.parametrize("roll", [-30, 20])
def test_a_tilted_region_is_read_upright(
    roll: float, portrait: Portrait, landmarker: Landmarker
) -> None:
    upright = landmarker.find(luma(portrait.render()), FACE)
    tilted = landmarker.find(
        luma(portrait.render(roll=roll)), Region(FACE.x, FACE.y, FACE.side, roll)
    )

    def slope(points: np.ndarray) -> float:
        across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
        return float(np.degrees(np.arctan2(across[1], across[0])))

    assert slope(tilted) - slope(upright) == pytest.approx(roll, abs=5)


@pytest.mark.parametrize("gain", [0.25, 0.5])
def test_a_dim_face_reads_as_a_bright_one(
    gain: float, portrait: Portrait, landmarker: Landmarker
) -> None:
    bright = portrait.render()
    dim = (bright * gain + 5).astype(np.uint8)
    region = detect(luma(bright), 640)[0].region
    apart = landmarker.find(luma(bright), region) - landmarker.find(luma(dim), region)
    assert np.hypot(*apart.T).mean() < 0.02 * region.side


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.dat"
    rubbish.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="no shape predictor"):
        Landmarker(rubbish)
