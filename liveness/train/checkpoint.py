"""Checkpoints: everything that a training needs to go on as if it had not been interrupted."""

import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import torch

from liveness.train import files
from liveness.train.errors import CheckpointInvalid

FILE = "checkpoint.pt"
VERSION = 1
_KEYS = {"version", "options", "dataset", "net", "best", "optimiser", "schedule", "history"}

# What PyTorch's restricted unpickler raises, by where the bytes stop making sense.
_UNREADABLE = (
    pickle.UnpicklingError,
    struct.error,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def save(run: Path, state: dict[str, Any]) -> None:
    """Write `state`, of the keys below, in the place of the one before."""
    state = {**state, "version": VERSION}
    files.write_with(run / FILE, lambda file: torch.save(state, file))


def load(run: Path) -> dict[str, Any] | None:
    """Read the state of a run, None if there is none yet; raises `CheckpointInvalid`.

    Only tensors and plain values are read, so a file from a stranger runs no code of theirs.
    """
    path = run / FILE
    if not path.exists():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of other formats: they are refused
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise CheckpointInvalid(f"{path} cannot be read; delete it to start anew") from error
    if not isinstance(state, dict) or state.keys() != _KEYS or state["version"] != VERSION:
        raise CheckpointInvalid(f"{path} is no checkpoint of this program's; delete it")
    return state
