# ruff: noqa: E402 - without PyTorch the imports below would fail
import pytest

from tests.training import require_torch

require_torch()

import torch

from liveness.train.nets import build, scaled
from liveness.train.options import NETS

torch.set_num_threads(1)


def parameters(net: str, width: float = 1.0) -> int:
    return sum(tensor.numel() for tensor in build(net, width).parameters())


@pytest.mark.parametrize("net", NETS)
def test_every_net_gives_two_logits_a_picture(net: str) -> None:
    assert build(net, 0.25).eval()(torch.zeros(2, 3, 128, 128)).shape == (2, 2)


def test_the_mobilenets_are_the_published_ones() -> None:
    # Keras' MobileNet and torchvision's MobileNetV2 have so many without their 1000 classes.
    assert parameters("mobilenet") == 3_206_976 + 2 * 1024 + 2
    assert parameters("mobilenetv2") == 2_223_872 + 2 * 1280 + 2


@pytest.mark.parametrize("net", NETS)
def test_width_makes_a_net_smaller(net: str) -> None:
    assert parameters(net, 0.25) < 0.6 * parameters(net, 0.75)


def test_channels_are_multiples_of_eight_and_lose_little() -> None:
    for channels in (16, 24, 32, 96, 320):
        for width in (0.25, 0.35, 0.5, 0.75, 1.4):
            assert scaled(channels, width) % 8 == 0
            assert scaled(channels, width) >= 0.9 * channels * width
