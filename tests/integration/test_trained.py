# ruff: noqa: E402 - without PyTorch the imports below would fail
"""A net that was trained here, exported, and served in a live session."""

import asyncio
from pathlib import Path

import pytest

from tests.training import generate, require_torch

require_torch()

import torch

from liveness.testing.attackers import ScreenReplay
from liveness.testing.fixtures import ServerFactory
from liveness.testing.portrait import Portrait
from liveness.testing.puppet import Puppet
from liveness.train import run
from liveness.train.options import Options

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training."""
    folder = tmp_path_factory.mktemp("trained")
    faces = generate(folder / "faces", train=60, held_out=30)
    report = run.train(
        Options(
            dataset=faces,
            net="cnn",
            width=0.5,
            epochs=6,
            batch=16,
            device="cpu",
            out=folder / "run",
        )
    )
    return report.options.run


@pytest.mark.parametrize("card", ["cnn-0.5.toml", "cnn-0.5.half.toml"])
async def test_the_exported_net_scores_a_live_session(
    card: str, trained: Path, liveness_servers: ServerFactory, portrait: Portrait
) -> None:
    server = await liveness_servers(spoof_model=str(trained / card), time_limit=12.0)
    live, shown = await asyncio.gather(
        server.check(Puppet(portrait)),
        server.check(ScreenReplay(Puppet(portrait), portrait.size)),
    )
    # It has seen no other face than this one's: what it learnt is what a live one looks like.
    assert live.verdict.spoof_score is not None
    assert live.verdict.spoof_score > 0.5
    assert shown.verdict.spoof_score is not None
    assert shown.verdict.spoof_score < live.verdict.spoof_score
    assert (live.verdict.verdict, shown.verdict.verdict) == ("live", "spoof")
