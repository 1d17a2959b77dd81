# ruff: noqa: E402 - without PyTorch the imports below would fail
from pathlib import Path

import numpy as np
import pytest

from tests.training import require_torch

require_torch()

import onnx
import torch

from liveness.train.agreement import check_agreement, live_share
from liveness.train.errors import ExportDiffers
from liveness.train.export import OPSET, Served, export_onnx, halve
from liveness.train.nets import Net, build
from liveness.train.options import NETS

torch.set_num_threads(1)


def exercised(name: str) -> Net:
    """An untrained net whose normalisations have seen something."""
    torch.manual_seed(0)
    net = build(name, 0.25)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all that was seen
    with torch.no_grad():
        for _ in range(3):
            net(probes(4))
    net.eval()
    return net


def probes(count: int) -> torch.Tensor:
    """Pictures of noise, each of another brightness and contrast."""
    noise = torch.rand(count, 3, 128, 128) * 2 - 1
    return noise * torch.rand(count, 3, 1, 1) + torch.rand(count, 3, 1, 1) - 0.5


@pytest.mark.parametrize("name", NETS)
def test_onnx_runtime_gives_what_pytorch_gives(name: str, tmp_path: Path) -> None:
    net, path, pictures = exercised(name), tmp_path / "net.onnx", probes(5)
    difference = export_onnx(net, path, pictures)
    assert difference < 1e-4
    with torch.inference_mode():
        expected = net(pictures).numpy()
    assert np.abs(Served(path).logits(pictures) - expected).max() == pytest.approx(difference)
    assert np.ptp(expected, axis=0).min() > 0.05  # it does tell pictures apart

    half = tmp_path / "net.half.onnx"
    halve(path, half)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    shares = live_share(Served(half).logits(pictures)), live_share(expected)
    assert 0 < np.abs(shares[0] - shares[1]).max() < 0.01


def test_a_file_has_its_opset_and_tells_nothing_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_onnx(exercised("cnn"), path, probes(1))
    assert [each.version for each in onnx.load(path).opset_import] == [OPSET]
    assert b"site-packages" not in path.read_bytes()
    assert str(Path(__file__).parent).encode() not in path.read_bytes()


def test_a_file_that_differs_is_refused() -> None:
    net, pictures = exercised("cnn"), probes(2)
    with torch.inference_mode():
        logits = net(pictures).numpy()
    check_agreement(net, pictures, logits, Path("net.onnx"))
    logits[1, 0] += 2e-4
    with pytest.raises(ExportDiffers, match=r"net\.onnx differs from the net by 2\.0e-04"):
        check_agreement(net, pictures, logits, Path("net.onnx"))
    with pytest.raises(ExportDiffers):
        check_agreement(net, pictures, logits * np.float32("nan"), Path("net.onnx"))
