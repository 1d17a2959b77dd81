"""Minivision's MiniFASNet pair: the published network as an ONNX graph, built from its weights.

The network and the weights are those of https://github.com/minivision-ai/Silent-Face-Anti-Spoofing
(Apache-2.0): MobileNetV2-like blocks - widen, filter each channel, narrow - on 80x80 pixels, and
squeeze and excitation at the end of each row of blocks in the "SE" variant. Batch normalisation is
folded into the convolutions, and the two last matrices into one.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from liveness.torch_archive import Tensors

SIDE = 80
"""Pixels of the square input."""

CLASSES = 3
"""What the networks tell apart; class 1 is a live face."""

_OPSET = 17
_IR_VERSION = 8
_EPSILON = 1e-5  # of PyTorch's batch normalisation
_PREFIX = "module."  # the weights were saved from a network spread over several GPUs
_STEM = 32
_EMBEDDING = 128
_LAST = 512
_SQUEEZE = 4

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Architecture:
    """How wide each block is inside: one for each block of a row, and of each step down."""

    name: str
    row3: tuple[int, ...]
    row4: tuple[int, ...]
    row5: tuple[int, ...] = (26, 26)
    down3: int = 103
    down4: int = 231
    down5: int = 308
    excited: bool = False


V2 = Architecture("MiniFASNetV2", (13, 13, 13, 13), (231, 52, 26, 77, 26, 26))
V1SE = Architecture("MiniFASNetV1SE", (13, 26, 13, 52), (154, 52, 26, 52, 26, 26), excited=True)


class WeightsUnfit(ValueError):  # noqa: N818 - reads as what happened
    """Tensors that are not exactly those of the network; the message names the first."""


def to_onnx(tensors: Tensors, architecture: Architecture) -> bytes:
    """Build the network: (1, 3, 80, 80) BGR 0..255 float32 -> (1, 3) logits.

    `tensors`: the published state dictionary. Raises `WeightsUnfit` where one is missing, one too
    many, or of another shape. The same tensors always give the same bytes.
    """
    builder = _Builder({name.removeprefix(_PREFIX): each for name, each in tensors.items()})
    builder.network(architecture)
    return builder.finish(architecture.name)


class _Builder:
    """Takes tensors away, one after the other, and puts nodes into a graph."""

    def __init__(self, tensors: dict[str, NDArray[np.generic]]) -> None:
        self._left = tensors
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def network(self, widths: Architecture) -> None:
        """Lay the whole network between `input` and `logits`."""
        x = self._activated("conv1", "input", (_STEM, 3, 3), stride=2)
        x = self._activated("conv2_dw", x, (_STEM, 1, 3), groups=_STEM)
        x = self._block("conv_23", x, (_STEM, widths.down3, 64), stride=2)
        x = self._row("conv_3", x, 64, widths.row3, excited=widths.excited)
        x = self._block("conv_34", x, (64, widths.down4, 128), stride=2)
        x = self._row("conv_4", x, 128, widths.row4, excited=widths.excited)
        x = self._block("conv_45", x, (128, widths.down5, 128), stride=2)
        x = self._row("conv_5", x, 128, widths.row5, excited=widths.excited)
        x = self._activated("conv_6_sep", x, (_LAST, 128, 1))
        side = SIDE // 16
        x = self._convolution("conv_6_dw", x, (_LAST, 1, side), groups=_LAST, pads=0)
        self._head(self._node("Flatten", [x], "flat", axis=1))

    def finish(self, name: str) -> bytes:
        """Close the graph and check it."""
        if self._left:
            raise WeightsUnfit(f"{min(self._left)} does not belong to {name}")
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _row(self, name: str, x: str, width: int, inner: tuple[int, ...], *, excited: bool) -> str:
        """Blocks that each add to what came in; the last one excited, if any is."""
        for index, each in enumerate(inner):
            block = f"{name}.model.{index}"
            last = index == len(inner) - 1
            y = self._block(block, x, (width, each, width), excited=excited and last)
            x = self._node("Add", [x, y], f"{block}.sum")
        return x

    def _block(
        self,
        name: str,
        x: str,
        widths: tuple[int, int, int],
        *,
        stride: int = 1,
        excited: bool = False,
    ) -> str:
        """Widen, filter each channel by itself, narrow."""
        before, inner, after = widths
        x = self._activated(f"{name}.conv", x, (inner, before, 1))
        x = self._activated(f"{name}.conv_dw", x, (inner, 1, 3), groups=inner, stride=stride)
        x = self._convolution(f"{name}.project", x, (after, inner, 1))
        return self._excited(f"{name}.se_module", x, after) if excited else x

    def _excited(self, name: str, x: str, width: int) -> str:
        """Weigh the channels by what is in all of the picture."""
        squeezed = width // _SQUEEZE
        mean = self._node("GlobalAveragePool", [x], f"{name}.mean")
        names = (f"{name}.fc1", f"{name}.bn1")
        y = self._normalised(names, mean, (squeezed, width, 1))
        y = self._node("Relu", [y], f"{name}.relu")
        names = (f"{name}.fc2", f"{name}.bn2")
        y = self._normalised(names, y, (width, squeezed, 1))
        y = self._node("Sigmoid", [y], f"{name}.sigmoid")
        return self._node("Mul", [x, y], f"{name}.weighed")

    def _activated(
        self, name: str, x: str, shape: tuple[int, int, int], *, groups: int = 1, stride: int = 1
    ) -> str:
        x = self._convolution(name, x, shape, groups=groups, stride=stride)
        slope = self._take(f"{name}.prelu.weight", (shape[0],)).reshape(-1, 1, 1)
        # PReLU in its parts: ONNX Runtime's own takes half of the whole network's time, because it
        # looks at each number's sign by itself.
        above = self._node("Relu", [x], f"{name}.above")
        below = self._node("Sub", [x, above], f"{name}.below")
        below = self._node("Mul", [below, self._constant(f"{name}.slope", slope)], f"{name}.bent")
        return self._node("Add", [above, below], f"{name}.active")

    def _convolution(
        self,
        name: str,
        x: str,
        shape: tuple[int, int, int],
        *,
        groups: int = 1,
        stride: int = 1,
        pads: int | None = None,
    ) -> str:
        names = (f"{name}.conv", f"{name}.bn")
        return self._normalised(names, x, shape, groups=groups, stride=stride, pads=pads)

    def _normalised(
        self,
        names: tuple[str, str],
        x: str,
        shape: tuple[int, int, int],
        *,
        groups: int = 1,
        stride: int = 1,
        pads: int | None = None,
    ) -> str:
        """A convolution and its batch normalisation as one. `shape`: out, in a group, side."""
        name, normalisation = names
        out, into, side = shape
        weight = self._take(f"{name}.weight", (out, into, side, side))
        scale, shift = self._normalisation(normalisation, out)
        constants = [
            self._constant(f"{name}.w", weight * scale.reshape(-1, 1, 1, 1)),
            self._constant(f"{name}.b", shift),
        ]
        around = side // 2 if pads is None else pads
        return self._node(
            "Conv",
            [x, *constants],
            f"{name}.out",
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[around] * 4,
            group=groups,
        )

    def _head(self, x: str) -> None:
        """Embed, normalise, classify: three linear steps, which are one."""
        embed = self._take("linear.weight", (_EMBEDDING, _LAST))
        scale, shift = self._normalisation("bn", _EMBEDDING)
        classify = self._take("prob.weight", (CLASSES, _EMBEDDING))
        weight = self._constant("head.w", (classify * scale) @ embed)
        bias = self._constant("head.b", classify @ shift)
        self._node("Gemm", [x, weight, bias], "logits", transB=1)

    def _normalisation(self, name: str, width: int) -> tuple[Array, Array]:
        """Batch normalisation in use: times the one, plus the other."""
        count = self._take(f"{name}.num_batches_tracked", ())
        if not count >= 0:
            raise WeightsUnfit(f"{name}.num_batches_tracked is negative")
        gamma, beta, mean, variance = (
            self._take(f"{name}.{part}", (width,))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        if variance.min() < 0:
            raise WeightsUnfit(f"{name}.running_var is negative")
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale

    def _take(self, name: str, shape: tuple[int, ...]) -> Array:
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise WeightsUnfit(f"{name} is missing")
        if tensor.shape != shape:
            raise WeightsUnfit(f"{name} has the shape {tensor.shape}, not {shape}")
        numbers = tensor.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise WeightsUnfit(f"{name} holds numbers that are none")
        return numbers

    def _constant(self, name: str, values: Array) -> str:
        self._constants.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def _node(
        self, kind: str, inputs: list[str], output: str, **attributes: int | list[int]
    ) -> str:
        node = helper.make_node(kind, inputs, [output], name=output)
        node.attribute.extend(
            helper.make_attribute(key, each) for key, each in sorted(attributes.items())
        )
        self._nodes.append(node)
        return output
