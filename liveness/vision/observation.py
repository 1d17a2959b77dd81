"""What one frame shows: the only thing that challenges and the verdict ever see of a picture."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

POINTS = 68
Landmarks = NDArray[np.float32]
"""(68, 2) float32, pixels of the unmirrored picture, in the order of the iBUG 300-W mark-up."""

THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 64, 48
Thumbnail = NDArray[np.uint8]
"""(48, 64) uint8: the whole picture's grey values, much reduced."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the unmirrored picture; 0..1 of its width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees.

    `yaw` > 0: turned to the person's own left (the nose moves to the picture's right);
    `pitch` > 0: looking up; `roll` > 0: head tilted clockwise as the picture shows it.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Eyes:
    """Eye aspect ratio of the person's own right and left eye (Soukupova and Cech, 2016).

    About .2 to .4 when open, near .1 when shut.
    """

    right: float
    left: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the face can be seen.

    `size`: face box width over the picture's shorter side. `brightness`: mean luma of the face,
    0..255. `contrast`: standard deviation of that luma. `sharpness`: see `vision.quality`.
    """

    size: float
    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Face:
    """The one face that is followed.

    `aspect`: height over width against the average face, pose accounted for (see `vision.pose`).
    """

    box: Box
    landmarks: Landmarks
    pose: Pose
    eyes: Eyes
    quality: Quality
    aspect: float


@dataclass(frozen=True, slots=True)
class Observation:
    """One analysed frame.

    `frame`: index among analysed frames. `time`: seconds since the session's first frame, by RTP
    timestamps. `faces`: how many faces are in the picture; `face` is the followed one, if any.
    `thumbnail` is what a repeated video is recognised by.
    """

    frame: int
    time: float
    faces: int
    face: Face | None
    thumbnail: Thumbnail = field(repr=False, compare=False)
