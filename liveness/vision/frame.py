"""The grey picture of a decoded frame, as it lies in the decoder's memory."""

from dataclasses import dataclass
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

# Layouts whose first plane is the 8-bit luma of the whole picture.
_PLANAR_LUMA = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"}
)


@dataclass(frozen=True, slots=True)
class Luma:
    """A grey picture that borrows the decoder's memory.

    `plane`: (height, line size) uint8, contiguous. The decoder pads lines to a multiple of its
    choice (a 480 pixels wide picture has lines of 512), and dlib finds nothing, silently, in a
    picture whose lines are not contiguous: so dlib is given the whole plane, and everything that
    looks at pixels uses `picture`.
    """

    plane: NDArray[np.uint8]
    width: int

    @property
    def height(self) -> int:
        """Lines of the picture."""
        return int(self.plane.shape[0])

    @property
    def picture(self) -> NDArray[np.uint8]:
        """(height, width) uint8 view without the padding."""
        return self.plane[:, : self.width]

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Self:
        """Take the luma of a frame; only a frame without a luma plane of its own is converted."""
        if frame.format.name not in _PLANAR_LUMA:
            frame = frame.reformat(format="gray")
        plane = frame.planes[0]
        lines = np.frombuffer(memoryview(plane), np.uint8, count=plane.line_size * plane.height)
        return cls(lines.reshape(plane.height, plane.line_size), frame.width)
