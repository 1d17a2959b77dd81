"""What has to be loaded and compiled before the first picture comes."""

import numpy as np

from liveness.evidence import footage
from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region
from liveness.vision.pose import align

_BLANK = np.zeros((480, 640), np.uint8)
# Lines as long as the picture is wide, and longer ones: code is compiled for either.
_WIDTHS = (640, 480)


def warm(landmarker: Landmarker) -> None:
    """Load this thread's face detector, and compile what is.

    Takes a quarter of a second, and once after an installation some ten: a person's first frames
    must not wait for it.
    """
    footage.prepare()
    for width in _WIDTHS:
        picture = Luma(_BLANK, width)
        Analyser(landmarker).analyse(picture, 0.0)
        align(landmarker.find(picture, Region(240, 240, 200)))
