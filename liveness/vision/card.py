"""Model cards: how a classifier that tells live faces from pictures of faces wants to be fed.

A card is a small TOML file beside the network's file:

    name = "MobileNetV2, 128x128"
    licence = "MIT"
    threshold = 0.5

    [[networks]]
    file = "mobilenetv2.onnx"      # or .tflite; beside the card
    sha256 = "..."                 # optional: a file that differs is refused
    width = 128
    height = 128
    layout = "NHWC"                # or "NCHW"
    channels = "RGB"               # or "BGR"
    mean = 127.5                   # subtracted from 0..255; one number, or one a channel
    deviation = 127.5              # what is left is divided by this
    crop = 1.3                     # side of the cut-out, in face boxes
    light = 110                    # optional: a face of less mean grey, 0..255, is brightened to
                                   # it and its noise smoothed; by default the network sees it dark
    output = "sigmoid"             # what the network gives: see `Output`
    live = 0                       # index of the live class

With several networks the score is the mean of theirs.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

MOST_SIDE = 1024
"""Pixels: a card that asks for more is a mistake, and would cost a core for each session."""

PerChannel = tuple[float, float, float]
Share = Annotated[float, Field(ge=0, le=1)]


class CardInvalid(ValueError):  # noqa: N818 - reads as what happened
    """A card that cannot be followed; the message names the file and what is wrong in it."""


class Output(StrEnum):
    """What a network's output means.

    `LOGITS`: one for each class, to be put through softmax. `PROBABILITIES`: one for each class.
    `LOGIT`, `SIGMOID`: a single number, before or after the sigmoid; with `live` 1 it speaks for a
    live face, with `live` 0 against it.
    """

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    LOGIT = "logit"
    SIGMOID = "sigmoid"

    @property
    def single(self) -> bool:
        """Whether the output is one number for both classes."""
        return self in {Output.LOGIT, Output.SIGMOID}


class Network(BaseModel):
    """One network of a card: its file, its input, its output."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    file: str = Field(pattern=r"\.(onnx|tflite)$")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    width: int = Field(ge=16, le=MOST_SIDE)
    height: int = Field(ge=16, le=MOST_SIDE)
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: PerChannel = (0.0, 0.0, 0.0)
    deviation: PerChannel = (255.0, 255.0, 255.0)
    crop: float = Field(gt=0, le=10)
    light: float | None = Field(default=None, gt=0, le=255)
    output: Output = Output.LOGITS
    live: int = Field(ge=0)

    @field_validator("mean", "deviation", mode="before")
    @classmethod
    def _one_for_all(cls, value: object) -> object:
        return (value,) * 3 if isinstance(value, (int, float)) else value

    @field_validator("deviation")
    @classmethod
    def _not_zero(cls, value: PerChannel) -> PerChannel:
        if 0 in value:
            raise ValueError("divides by zero")
        return value

    @field_validator("file")
    @classmethod
    def _beside_the_card(cls, value: str) -> str:
        if Path(value).name != value:
            raise ValueError("must be a file beside the card, without a folder")
        return value

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.output.single and self.live > 1:
            raise ValueError(f"a {self.output} output has the classes 0 and 1, not {self.live}")
        return self


class Card(BaseModel):
    """A classifier: one network, or several whose scores are averaged.

    `threshold`: a session whose average is at or below it is a presentation attack.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    licence: str = ""
    threshold: Share = 0.5
    networks: tuple[Network, ...] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML card; raises `CardInvalid`, `OSError`."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CardInvalid(f"{path} is no TOML: {error}") from error
        except ValidationError as error:
            raise CardInvalid(f"{path} is no model card: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    wrong = error.errors(include_url=False, include_context=False)
    # A network with a mistake is missing from their number as well.
    first = [each for each in wrong if each["type"] != "too_short"] or wrong
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"
        for each in first
    )
