"""The nets: pictures (n, 3, 128, 128) in -1..1 to logits (n, 2), live and spoof."""

from collections.abc import Callable

from torch import Tensor, nn

from liveness.train.card import CLASSES

DROPOUT = 0.2  # before the classifier, as in the MobileNetV2 paper
CHANNEL_STEP = 8
"""Channels are multiples of it, as in the papers' code: vector units like them."""


class Net(nn.Module):
    """Convolutions, the mean over the picture, and a linear classifier."""

    def __init__(self, features: nn.Sequential, channels: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(channels, len(CLASSES))
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Give the logits."""
        logits: Tensor = self.classifier(self.pool(self.features(pictures)))
        return logits


def build(net: str, width: float = 1.0) -> Net:
    """Build an untrained net of `options.NETS`; `width` multiplies its channels."""
    return _BUILDERS[net](lambda channels: scaled(channels, width))


Scale = Callable[[int], int]


def scaled(channels: int, width: float) -> int:
    """Multiply channels and round to steps, never down by more than a tenth."""
    wanted = channels * width
    rounded = max(CHANNEL_STEP, int(wanted + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return rounded + CHANNEL_STEP if rounded < 0.9 * wanted else rounded


def _convolution(
    channels: int, out: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(),
    ]


def _cnn(scale: Scale) -> Net:
    """Plain convolutions, each followed by max pooling."""
    layers: list[nn.Module] = []
    channels = 3
    for wanted in (32, 64, 128, 128):
        out = scale(wanted)
        layers += [*_convolution(channels, out), nn.MaxPool2d(2)]
        channels = out
    return Net(nn.Sequential(*layers), channels)


def _mobilenet(scale: Scale) -> Net:
    """Table 1 of arXiv:1704.04861: (channels, stride) of each depthwise separable block."""
    blocks = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5)
    channels = scale(32)
    layers = _convolution(3, channels, stride=2)
    for wanted, stride in (*blocks, (1024, 2), (1024, 1)):
        out = scale(wanted)
        layers += _convolution(channels, channels, stride=stride, groups=channels)
        layers += _convolution(channels, out, kernel=1)
        channels = out
    return Net(nn.Sequential(*layers), channels)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow without activation; added to its input if it fits."""

    def __init__(self, channels: int, out: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        widen = _convolution(channels, inner, kernel=1) if expansion > 1 else []
        self.adds = stride == 1 and channels == out
        self.layers = nn.Sequential(
            *widen,
            *_convolution(inner, inner, stride=stride, groups=inner),
            nn.Conv2d(inner, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Give the block's features."""
        changed: Tensor = self.layers(features)
        return features + changed if self.adds else changed


def _mobilenetv2(scale: Scale) -> Net:
    """Table 2 of arXiv:1801.04381: (expansion, channels, repeats, first stride) of each stage."""
    stages = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )
    channels = scale(32)
    layers = _convolution(3, channels, stride=2)
    for expansion, wanted, repeats, first in stages:
        for index in range(repeats):
            out, stride = scale(wanted), first if index == 0 else 1
            layers.append(InvertedResidual(channels, out, stride=stride, expansion=expansion))
            channels = out
    last = max(1280, scale(1280))  # the paper does not narrow the last one
    return Net(nn.Sequential(*layers, *_convolution(channels, last, kernel=1)), last)


_BUILDERS: dict[str, Callable[[Scale], Net]] = {
    "cnn": _cnn,
    "mobilenet": _mobilenet,
    "mobilenetv2": _mobilenetv2,
}
