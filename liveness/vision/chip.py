"""The picture of a face that dlib's descriptor was trained on: upright, in colour, 150 pixels."""

import av
import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from liveness.vision.crop import FaceBox, colours, cut_out
from liveness.vision.observation import Landmarks

Chip = NDArray[np.uint8]
"""(150, 150, 3) uint8, RGB."""

SIDE = 150
# What surrounds the face, in shares of it, as in dlib's training.
_PADDING = 0.25
# A cut-out of so many times the face holds all of a chip, and of a tilted one.
_CUT = 2.0


def face_chip(frame: av.VideoFrame, points: Landmarks) -> Chip:
    """Cut the face with these (68, 2) landmarks out of a decoded frame."""
    part = cut_out(FaceBox.around(points), _CUT, frame.width, frame.height)
    picture = np.ascontiguousarray(cv2.cvtColor(colours(frame, part), cv2.COLOR_BGR2RGB))
    moved = np.round(points - (part.left, part.top)).astype(int)
    whole = dlib.rectangle(0, 0, picture.shape[1], picture.shape[0])
    shape = dlib.full_object_detection(whole, [dlib.point(int(x), int(y)) for x, y in moved])
    chip = dlib.get_face_chip(picture, shape, size=SIDE, padding=_PADDING)
    return np.asarray(chip, np.uint8)
