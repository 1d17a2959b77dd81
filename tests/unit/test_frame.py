import av
import numpy as np
import pytest

from liveness.vision.frame import Luma


def grey(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).integers(16, 235, (height, width), np.uint8)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1280, 720), (322, 242)])
@pytest.mark.parametrize("layout", ["yuv420p", "nv12", "gray"])
def test_the_picture_is_the_luma_whatever_the_padding(width: int, height: int, layout: str) -> None:
    luma = Luma.of(av.VideoFrame.from_ndarray(grey(width, height), "gray").reformat(format=layout))
    assert luma.picture.shape == (height, width)
    assert luma.plane.flags.c_contiguous
    # Converting grey to a video layout squeezes it into 16..235.
    assert np.corrcoef(luma.picture.ravel(), grey(width, height).ravel())[0, 1] > 0.99


def test_the_decoders_memory_is_borrowed_and_not_copied() -> None:
    frame = av.VideoFrame(640, 480, "yuv420p")
    luma = Luma.of(frame)
    frame.planes[0].update(bytes([77]) * frame.planes[0].buffer_size)
    assert (luma.picture == 77).all()


def test_a_frame_without_luma_is_converted() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), "bgr24")
    assert abs(float(Luma.of(frame).picture.mean()) - 128) < 4
