"""Whether an exported file gives what the trained net gives."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liveness.train.card import LIVE
from liveness.train.errors import ExportDiffers
from liveness.train.nets import Net

Logits = NDArray[np.float32]
"""(n, 2) float32, in the order of `CLASSES`."""

TOLERANCE = 1e-4
"""By which the logits of an exported file may differ from the net's, or from the largest of them in
shares where that is above one: a net that was trained too fast has logits of many hundreds."""


def check_agreement(net: Net, probes: Tensor, logits: Logits, path: Path) -> float:
    """Compare a file's `logits` for `probes`, (n, 3, 128, 128), with the net's.

    Returns the greatest difference; raises `ExportDiffers` if it is too much.
    """
    with torch.inference_mode():
        expected = net(probes).numpy()
    difference = float(np.abs(logits - expected).max())
    most = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if not difference <= most:  # a NaN is no agreement either
        raise ExportDiffers(f"{path} differs from the net by {difference:.1e}: it is not usable")
    return difference


def live_share(logits: Logits) -> NDArray[np.float64]:
    """(n,) probability of the live class."""
    return np.asarray(torch.from_numpy(logits).double().softmax(1)[:, LIVE].numpy(), np.float64)
