"""TFLite files of a trained net, made by Google's converter `litert-torch`.

    python -m liveness.train.tflite RUN

Training does this by itself where the converter is installed. It cannot be installed beside the
server: a part of it (xdsl 0.28) wants typing-extensions below 4.13, pydantic 2.12 wants 4.14. Hence
an environment of its own, run where `liveness` lies:

    python -m venv .tflite
    .tflite/bin/pip install torch==2.13.0 litert-torch==0.10.0
    .tflite/bin/python -m liveness.train.tflite runs/mobilenetv2

The TFLite file takes one picture, (1, 3, 128, 128), and is as large as the ONNX file.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from liveness.train import checkpoint, files
from liveness.train.agreement import Logits, check_agreement
from liveness.train.card import SIDE, card_of, write_card
from liveness.train.errors import TrainingError
from liveness.train.nets import Net, build
from liveness.train.options import named
from liveness.vision.card import Card

MISSING = (
    "no TFLite file: the converter litert-torch is not installed, and cannot be beside the server; "
    "`python -m liveness.train.tflite RUN` makes one in an environment of its own"
)
PROBES = 8  # random pictures that the file is compared on


def available() -> bool:
    """Whether the converter is installed."""
    return find_spec("litert_torch") is not None


def export_tflite(net: Net, path: Path, probes: Tensor) -> float:
    """Write a net as TFLite and compare it with the net; raises `ExportDiffers`.

    Returns by how much its logits for `probes`, (n, 3, 128, 128), differ at most from the net's.
    """
    import litert_torch  # noqa: PLC0415 - it takes seconds, and is seldom there

    net = net.cpu().eval()
    converted = litert_torch.convert(net, (torch.zeros(1, 3, SIDE, SIDE),))
    unfinished = path.with_name(f"unfinished-{path.name}")
    converted.export(str(unfinished))
    files.write(path, unfinished.read_bytes())
    unfinished.unlink()
    return check_agreement(net, probes, ServedLite(path).logits(probes), path)


class ServedLite:
    """A TFLite file as LiteRT runs it, with one thread."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - as above

        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def logits(self, pictures: Tensor) -> Logits:
        """(n, 2) for (n, 3, 128, 128) pictures, one after the other."""
        return np.concatenate([self._one(picture[None]) for picture in pictures])

    def _one(self, picture: Tensor) -> Logits:
        self._interpreter.set_tensor(self._input, picture.numpy())
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output), np.float32)


def convert_run(run: Path) -> tuple[Path, float]:
    """Add a TFLite file and its card to a finished run: the file, and its difference."""
    state = checkpoint.load(run)
    if state is None:
        raise TrainingError(f"{run} holds no {checkpoint.FILE}: train first")
    name = named(state["options"]["net"], state["options"]["width"])
    card = _card_of_run(run, name)
    net = build(state["options"]["net"], state["options"]["width"])
    net.load_state_dict(state["best"])
    probes = torch.rand(PROBES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    path = run / f"{name}.tflite"
    difference = export_tflite(net, path, probes)
    write_card(path, title=card.name, threshold=card.threshold, crop=card.networks[0].crop)
    return path, difference


def _card_of_run(run: Path, name: str) -> Card:
    path = card_of(run / f"{name}.onnx")
    if not path.exists():
        raise TrainingError(f"{run} holds no {path.name}: let the training end first")
    return Card.read(path)


def main(argv: list[str] | None = None) -> int:
    """Convert as told; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m liveness.train.tflite",
        description="Add a TFLite file and its card to a finished training.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the training's folder")
    run = parser.parse_args(argv).run
    try:
        if not available():
            raise TrainingError(MISSING)  # noqa: TRY301 - one place that tells of errors
        path, difference = convert_run(run)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    print(f"{path}: differs from the net by {difference:.1e}")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main())
