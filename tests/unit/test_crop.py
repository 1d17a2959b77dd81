import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.vision.crop import FOREHEAD, GROWTH, FaceBox, Rectangle, colours, cut_out


def test_the_box_goes_around_forehead_and_ears() -> None:
    points = np.zeros((68, 2), np.float32)
    points[:, 0] = np.linspace(100, 200, 68)
    points[:, 1] = np.linspace(50, 150, 68)
    box = FaceBox.around(points)
    assert box.width == pytest.approx(100 * GROWTH)
    assert box.height == pytest.approx(100 * (1 + FOREHEAD) * GROWTH)
    assert box.x + box.width / 2 == pytest.approx(150)
    assert box.y + box.height / 2 == pytest.approx((50 - 100 * FOREHEAD + 150) / 2)


@pytest.mark.parametrize(
    ("box", "scale", "expected"),
    [
        # Worked out by hand from the published rules, for a picture of 640x480.
        (FaceBox(300, 200, 50, 60), 2.0, Rectangle(275, 170, 376, 291)),
        (FaceBox(10, 10, 50, 60), 2.7, Rectangle(0, 0, 136, 163)),  # moved in from the corner
        (FaceBox(600, 440, 40, 40), 2.0, Rectangle(559, 399, 640, 480)),  # and from the other
        (FaceBox(220, 100, 200, 240), 2.7, Rectangle(120, 0, 520, 480)),  # made smaller
    ],
)
def test_the_published_rules(box: FaceBox, scale: float, expected: Rectangle) -> None:
    assert cut_out(box, scale, 640, 480) == expected


@given(
    st.floats(-400, 1000),
    st.floats(-400, 1000),
    st.floats(1, 900),
    st.floats(1, 900),
    st.floats(0.5, 10),
    st.integers(16, 1000),
    st.integers(16, 1000),
)
def test_it_stays_inside_with_its_proportions(
    x: float, y: float, across: float, down: float, scale: float, width: int, height: int
) -> None:
    part = cut_out(FaceBox(x, y, across, down), scale, width, height)
    assert 0 <= part.left < part.right <= width
    assert 0 <= part.top < part.bottom <= height
    shrunk = min(scale, (width - 1) / across, (height - 1) / down)
    assert part.right - part.left == pytest.approx(across * shrunk, abs=2)
    assert part.bottom - part.top == pytest.approx(down * shrunk, abs=2)


def picture(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    random = np.random.default_rng(width)
    small = random.integers(30, 220, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (360, 202)])
@pytest.mark.parametrize("box", [(0, 0, 0, 0), (10, 20, 31, 40), (11, 21, 30, 41), (33, 7, 0, 1)])
def test_a_part_is_converted_as_in_the_whole(
    size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    """`box`: pixels left out at each side, even and odd; lines of some sizes are padded."""
    width, height = size
    frame = av.VideoFrame.from_ndarray(picture(width, height), format="bgr24").reformat(
        format="yuv420p"
    )
    part = Rectangle(box[0], box[1], width - box[2], height - box[3])
    whole = cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420)
    expected = whole[part.top : part.bottom, part.left : part.right]
    assert np.array_equal(colours(frame, part), expected)


@pytest.mark.parametrize("layout", ["bgr24", "rgb24", "nv12", "yuv444p", "yuvj420p", "gray"])
def test_other_formats_are_converted_whole(layout: str) -> None:
    shown = picture(320, 240)
    if layout == "gray":
        shown = np.repeat(shown[..., :1], 3, axis=2)
    frame = av.VideoFrame.from_ndarray(shown, format="bgr24").reformat(format=layout)
    found = colours(frame, Rectangle(40, 30, 200, 150))
    assert found.shape == (120, 160, 3)
    difference = np.abs(found.astype(int) - shown[30:150, 40:200])
    assert difference.mean() < 6, "colours are those of the picture"


def test_a_picture_of_odd_size_can_be_cut_at_its_edge() -> None:
    frame = av.VideoFrame.from_ndarray(picture(64, 64), format="bgr24")
    odd = frame.reformat(width=63, height=61, format="yuv420p")
    found = colours(odd, Rectangle(1, 1, 63, 61))
    assert found.shape == (60, 62, 3)
    expected = odd.to_ndarray(format="bgr24")[1:61, 1:63]
    assert np.abs(found.astype(int) - expected).mean() < 8
