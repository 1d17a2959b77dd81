"""Warp a picture by a triangle mesh: painter's algorithm, then one remap."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""

SUBPIXEL_BITS = 4  # corners are placed to 1/16 pixel
FLAT_TRIANGLE = 1e-3  # pixels squared: too thin to be seen, and to be inverted


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    @classmethod
    def around(cls, points: NDArray[np.float32], size: tuple[int, int]) -> "Region":
        """Bound (n, 2) `points`, cut to a picture of `size` (width, height)."""
        left, top = np.clip(np.floor(points.min(axis=0)).astype(int), 0, size)
        right, bottom = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1, 0, size)
        return cls(int(left), int(top), int(right), int(bottom))


def warp_into(
    target: Picture,
    source: Picture,
    mesh: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    triangles: NDArray[np.int32],
) -> None:
    """Draw the mesh's triangles with the texture of `source` into `target`, far ones first.

    `mesh`: (n, 2) corners in `source`, (n, 2) corners in `target`, (n,) distances. Pixels that no
    triangle covers stay as they are.
    """
    texture, corners, distance = mesh
    height, width = target.shape[:2]
    region = Region.around(corners[triangles].reshape(-1, 2), (width, height))
    columns, rows = region.size
    if columns <= 0 or rows <= 0:
        return
    corners = corners - np.array([region.left, region.top], dtype=np.float32)
    order = np.argsort(-distance[triangles].mean(axis=1), kind="stable")
    covering = _paint(corners, triangles[order], (rows, columns))
    to_texture = _affine_maps(corners[triangles[order]], texture[triangles[order]])
    coefficients = to_texture[covering]
    x = np.arange(columns, dtype=np.float32)
    y = np.arange(rows, dtype=np.float32)[:, None]
    map_x = coefficients[..., 0] * x + coefficients[..., 1] * y + coefficients[..., 2]
    map_y = coefficients[..., 3] * x + coefficients[..., 4] * y + coefficients[..., 5]
    drawn = cv2.remap(source, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    patch = target[region.top : region.bottom, region.left : region.right]
    np.copyto(patch, drawn, where=(covering >= 0)[..., None])


def _paint(
    corners: NDArray[np.float32], triangles: NDArray[np.int32], shape: tuple[int, int]
) -> NDArray[np.int32]:
    """(height, width): the index of the nearest triangle over each pixel, -1 where there is none.

    `triangles` are sorted from far to near.
    """
    covering = np.full(shape, -1, dtype=np.int32)
    fixed = np.round(corners * (1 << SUBPIXEL_BITS)).astype(np.int32)[triangles]
    for index, corner in enumerate(fixed):
        cv2.fillConvexPoly(covering, corner, index, cv2.LINE_8, SUBPIXEL_BITS)
    return covering


def _affine_maps(target: NDArray[np.float32], source: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, 6): for each triangle a, b, c, d, e, f with x' = a x + b y + c and y' = d x + e y + f.

    `target`, `source`: (m, 3, 2) corners; maps points of the first to the second.
    """
    first, second = target[:, 1] - target[:, 0], target[:, 2] - target[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    area = np.where(np.abs(area) < FLAT_TRIANGLE, np.inf, area)
    edges = np.stack([source[:, 1] - source[:, 0], source[:, 2] - source[:, 0]], axis=1)
    # Rows of the inverse of [first second].
    inverse = (
        np.stack(
            [
                np.stack([second[:, 1], -second[:, 0]], axis=1),
                np.stack([-first[:, 1], first[:, 0]], axis=1),
            ],
            axis=1,
        )
        / area[:, None, None]
    )
    linear = np.einsum("mki,mkj->mij", edges, inverse)
    shift = source[:, 0] - np.einsum("mij,mj->mi", linear, target[:, 0])
    return np.concatenate([linear, shift[..., None]], axis=2).reshape(-1, 6).astype(np.float32)
