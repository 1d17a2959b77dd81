# ruff: noqa: E402 - without PyTorch the imports below would fail
from pathlib import Path

import pytest

from tests.training import require_torch

require_torch()

import torch

from liveness.train import tflite
from liveness.train.nets import build

torch.set_num_threads(1)


@pytest.mark.skipif(
    not tflite.available(),
    reason="checked by hand: litert-torch cannot be beside the server, and takes 2 GB elsewhere",
)
@pytest.mark.filterwarnings("default")  # the converter's own, in an environment of its own
@pytest.mark.parametrize("name", ["cnn", "mobilenetv2"])
def test_litert_gives_what_pytorch_gives(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    pictures = torch.rand(3, 3, 128, 128) * 2 - 1
    assert tflite.export_tflite(build(name, 0.25), tmp_path / "net.tflite", pictures) < 1e-4


@pytest.mark.skipif(tflite.available(), reason="litert-torch is there")
def test_without_the_converter_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tflite.main([str(tmp_path)]) == 1
    assert "litert-torch is not installed" in capsys.readouterr().err
