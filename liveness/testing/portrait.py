"""A photograph of a face, lifted onto a mesh, that turns and blinks with known ground truth."""

from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.testing.head import OVAL, Head, Look
from liveness.testing.poses import Poses
from liveness.testing.raster import Picture, warp_into

SIZE = (640, 480)
FACE_SHARE = 0.40
"""Face width (ear to ear) over the frame's shorter side: an arm's length from a laptop."""
FACE_HEIGHT = 0.47  # where the middle of the face lies, of the frame's height


class Portrait:
    """A face that can be rendered in any pose.

    `picture`: (h, w, 3) uint8 BGR. `mesh`: (468 or more, 3) points of the MediaPipe face mesh in
    the picture's pixels, z away from the camera: its FaceMesh solution gives x, y and z, to be
    multiplied by width, height and width. `size`: (width, height) of the frames. `face`:
    face width over the frame's shorter side. `smile`: the expression, see `Look`.
    """

    def __init__(
        self,
        picture: Picture,
        mesh: NDArray[np.float32],
        *,
        size: tuple[int, int] = SIZE,
        face: float = FACE_SHARE,
        smile: float = 0.0,
    ) -> None:
        width, height = size
        self.size = size
        self.smile = smile
        enlarge = face * min(size) / Head.width_of(mesh)
        interpolation = cv2.INTER_AREA if enlarge < 1 else cv2.INTER_CUBIC
        enlarged = cv2.resize(picture, None, fx=enlarge, fy=enlarge, interpolation=interpolation)
        self._picture: Picture = np.asarray(enlarged, dtype=np.uint8)
        # Pixel centres: resize maps x to enlarge * (x + 1/2) - 1/2.
        points = mesh.astype(np.float32) * enlarge
        points[:, :2] += (enlarge - 1) / 2
        centre = points[list(OVAL), :2].mean(axis=0)
        self._origin = np.round(centre - [width / 2, height * FACE_HEIGHT]).astype(np.float32)
        self.head = Head(points, (float(self._origin[0]), float(self._origin[1]), width, height))
        self._triangles = self.head.moving_triangles
        self._background: dict[float, Picture] = {}

    @classmethod
    def astronaut(
        cls, *, size: tuple[int, int] = SIZE, face: float = FACE_SHARE, smile: float = 0.0
    ) -> "Portrait":
        """Eileen Collins, a NASA photograph in the public domain that scikit-image ships."""
        # Only this portrait needs the package.
        from skimage import data  # noqa: PLC0415

        rgb = data.astronaut()  # type: ignore[no-untyped-call] # it has no types
        picture = np.ascontiguousarray(rgb[..., ::-1])
        with as_file(files("liveness.testing") / "data" / "astronaut_mesh.npz") as mesh:
            return cls(picture, load_mesh(mesh), size=size, face=face, smile=smile)

    @property
    def rest_yaw(self) -> float:
        """Yaw in degrees at which the portrait was photographed; rendered yaw adds to it."""
        return self.head.rest_yaw

    @cached_property
    def poses(self) -> Poses:
        """Poses that have been rendered before."""
        return Poses(
            lambda yaw, closure: self.render(yaw=yaw, blink_right=closure, blink_left=closure),
        )

    def render(  # noqa: PLR0913 - each is one degree of freedom of a head before a camera
        self,
        *,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        blink_right: float = 0.0,
        blink_left: float = 0.0,
        tx: float = 0.0,
        ty: float = 0.0,
        scale: float = 1.0,
    ) -> Picture:
        """Draw one frame: (height, width, 3) uint8 BGR, without noise (see `Sensor`).

        Angles in degrees, relative to how the person was photographed, signs as in
        `liveness.vision.observation.Pose`; eyes' closure 0..1; `tx`, `ty`: the head's shift in
        pixels; `scale`: the camera's zoom about the picture's centre.
        """
        look = Look(yaw, pitch, roll, blink_right, blink_left, tx, ty, self.smile)
        corners, distance = self.head.pose(look)
        frame = self._empty_frame(scale).copy()
        centre = np.array(self.size, dtype=np.float32) / 2
        on_screen = (corners - self._origin - centre) * np.float32(scale) + centre
        mesh = (self.head.points[:, :2], on_screen, distance)
        warp_into(frame, self._picture, mesh, self._triangles)
        return frame

    def _empty_frame(self, scale: float) -> Picture:
        """The photograph as the camera sees it, into which the head is drawn."""
        if scale not in self._background:
            width, height = self.size
            offset_x = width / 2 * (1 - scale) - scale * self._origin[0]
            offset_y = height / 2 * (1 - scale) - scale * self._origin[1]
            view = np.array([[scale, 0, offset_x], [0, scale, offset_y]], dtype=np.float32)
            seen = cv2.warpAffine(
                self._picture,
                view,
                self.size,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            self._background = {scale: np.asarray(seen, dtype=np.uint8)}
        return self._background[scale]


def load_mesh(path: Path) -> NDArray[np.float32]:
    """Read a face mesh: an npz file with `points`, (468 or more, 3) float32, pixels."""
    with np.load(path) as archive:
        return np.asarray(archive["points"], dtype=np.float32)
