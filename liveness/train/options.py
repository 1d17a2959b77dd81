"""The command line of training."""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

NETS = {
    "cnn": "four plain convolutions, the smallest and fastest",
    "mobilenet": "MobileNet (Howard et al. 2017)",
    "mobilenetv2": "MobileNetV2 (Sandler et al. 2018)",
}
MOST_WORKERS = 4
"""Threads that read pictures, unless asked for otherwise: more seldom help one device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a training can be told. `width`: multiplier of the net's channels."""

    dataset: Path
    net: str = "mobilenetv2"
    width: float = 1.0
    epochs: int = 50
    patience: int = 8
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0
    crop: float = 1.0
    out: Path | None = None
    device: str = "auto"
    workers: int = 1

    @property
    def name(self) -> str:
        """What the exported files are called."""
        return named(self.net, self.width)

    @property
    def run(self) -> Path:
        """The folder that everything is written to."""
        return self.out or Path("runs") / self.name

    @property
    def decisive(self) -> dict[str, str | int | float]:
        """What makes it another training, so that it cannot go on from the other's checkpoint."""
        return {
            "net": self.net,
            "width": self.width,
            "batch": self.batch,
            "lr": self.lr,
            "seed": self.seed,
            "crop": self.crop,
        }

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """Read a command line; what is wrong in it ends the program, as argparse does."""
        return cls(**vars(_parser().parse_args(argv)))


def named(net: str, width: float) -> str:
    """Name a net for its files."""
    return net if width == 1 else f"{net}-{width:g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m liveness.train",
        description="Train a classifier that tells live faces from pictures of faces.",
        epilog="nets, all at 128x128x3:\n"
        + "\n".join(f"  {name:<13}{what}" for name, what in NETS.items())
        + "\n\nAn interrupted run goes on when it is started again.",
        formatter_class=_Help,
    )
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder with {train,val,test}/{live,spoof}/"
    )
    _add_training(parser.add_argument_group("training"))
    _add_surroundings(parser.add_argument_group("surroundings"))
    return parser


def _add_training(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--net", choices=NETS, default="mobilenetv2", help="see below")
    group.add_argument(
        "--width", type=_number(0.05, 4), default=1.0, metavar="X", help="multiplier of channels"
    )
    group.add_argument(
        "--epochs", type=_whole(1), default=50, metavar="N", help="at most so many epochs"
    )
    group.add_argument(
        "--patience",
        type=_whole(1),
        default=8,
        metavar="N",
        help="stop after so many epochs without a smaller validation loss",
    )
    group.add_argument("--batch", type=_whole(2), default=64, metavar="N", help="pictures a step")
    group.add_argument(
        "--lr", type=_number(1e-7, 1), default=1e-3, metavar="X", help="learning rate of AdamW"
    )
    group.add_argument("--seed", type=_whole(0), default=0, metavar="N", help="of all randomness")
    group.add_argument(
        "--crop",
        type=_number(0.1, 10),
        default=1.0,
        metavar="X",
        help="how the pictures were cut out: their side in boxes around the face "
        "(forehead to chin, ear to ear); the server will cut like this",
    )


def _add_surroundings(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--out", type=Path, metavar="RUN", help="folder for everything (default: runs/NET)"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps ...")
    group.add_argument(
        "--workers",
        type=_whole(1),
        default=min(MOST_WORKERS, os.cpu_count() or 1),
        metavar="N",
        help="threads that read pictures",
    )


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show defaults, except where there are none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return number

    parse.__name__ = "whole number"  # argparse shows it
    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = float(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}")
        return number

    parse.__name__ = "number"
    return parse
