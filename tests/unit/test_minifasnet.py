from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from liveness.minifasnet import SIDE, V1SE, V2, Architecture, WeightsUnfit, to_onnx
from liveness.torch_archive import Tensors, read_tensors

ARCHIVES = {
    "minifasnet-v2": ("2.7_80x80_MiniFASNetV2.pth", V2),
    "minifasnet-v1se": ("4_0_0_80x80_MiniFASNetV1SE.pth", V1SE),
}

AGREEMENT = 1e-4
"""Of logits of up to 10. Single precision differs by 4e-6."""

REFERENCE = Path(__file__).parent.parent / "data" / "minifasnet.npz"
"""Logits of `pictures` from PyTorch 2.13.0 on a CPU: the published `MiniFASNetV2` and
`MiniFASNetV1SE` (`conv6_kernel=(5, 5)`, `eval()`), loaded with the same two files, given
`torch.from_numpy(pictures().transpose(0, 3, 1, 2)).float()`."""


def pictures() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(8, 80, 80, 3): four of noise, four with structure."""
    # The generator whose stream never changes: the reference was made of these numbers.
    noise = np.random.RandomState(80).randint(0, 256, (4, SIDE, SIDE, 3))
    y, x = np.mgrid[:SIDE, :SIDE]
    structure = [
        np.stack([3 * y, 3 * x, 255 - x - y], axis=-1),
        np.stack([128 + 100 * np.sin(x / 9) * np.cos(y / 7)] * 3, axis=-1),
        np.full((SIDE, SIDE, 3), 127),
        np.stack([y * x % 256, (x + 2 * y) % 256, x * x % 256], axis=-1),
    ]
    return np.concatenate([noise, structure]).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=ARCHIVES)
def published(
    request: pytest.FixtureRequest, real_clip: Callable[[str], Path]
) -> tuple[str, Tensors, Architecture]:
    name, architecture = ARCHIVES[request.param]
    return request.param, read_tensors(real_clip(name).read_bytes()), architecture


def test_it_agrees_with_pytorch(published: tuple[str, Tensors, Architecture]) -> None:
    name, tensors, architecture = published
    session = onnxruntime.InferenceSession(
        to_onnx(tensors, architecture), providers=["CPUExecutionProvider"]
    )
    with np.load(REFERENCE) as reference:
        expected = reference[name]
    found = np.concatenate(
        [
            session.run(None, {"input": picture.transpose(2, 0, 1)[None].astype(np.float32)})[0]
            for picture in pictures()
        ]
    )
    assert expected.std(axis=0).min() > 0.3, "a net that always says the same would not do"
    assert np.abs(found - expected).max() < AGREEMENT


def test_only_exactly_these_tensors_will_do(published: tuple[str, Tensors, Architecture]) -> None:
    _, tensors, architecture = published
    name = "module.conv_4.model.2.conv_dw.conv.weight"
    rest = {key: each for key, each in tensors.items() if key != name}
    with pytest.raises(WeightsUnfit, match=r"conv_4\.model\.2\.conv_dw\.conv\.weight is missing"):
        to_onnx(rest, architecture)
    with pytest.raises(WeightsUnfit, match="surplus does not belong"):
        to_onnx({**tensors, "module.surplus": tensors[name]}, architecture)
    with pytest.raises(WeightsUnfit, match="shape"):
        to_onnx({**tensors, name: tensors[name][:-1]}, architecture)
    with pytest.raises(WeightsUnfit, match="numbers that are none"):
        to_onnx({**tensors, name: np.full_like(tensors[name], np.nan)}, architecture)


def test_one_network_is_not_the_other(published: tuple[str, Tensors, Architecture]) -> None:
    _, tensors, architecture = published
    with pytest.raises(WeightsUnfit):
        to_onnx(tensors, V1SE if architecture is V2 else V2)
