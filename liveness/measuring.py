"""What has to be loaded in each thread that measures pictures, before the first one comes."""

import numpy as np

from liveness.vision.analyser import Analyser
from liveness.vision.frame import Luma
from liveness.vision.landmarks import Landmarker, Region

_BLANK = Luma(np.zeros((480, 640), np.uint8), 640)


def warm(landmarker: Landmarker) -> None:
    """Load this thread's face detector, and compile what is.

    Takes a quarter of a second, and once after an installation some: a person's first frames must
    not wait for it.
    """
    Analyser(landmarker).analyse(_BLANK, 0.0)
    landmarker.find(_BLANK, Region(320, 240, 200))
