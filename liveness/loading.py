"""Loads what measures, scores and compares: each file once a process, however many apps use it."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import structlog

from liveness.describing import Describer
from liveness.errors import ModelCorrupt, ModelMissing
from liveness.models import (
    Weights,
    find_descriptor_weights,
    find_landmark_weights,
    find_spoof_model,
)
from liveness.settings import MINIFASNET, NO_MODEL, Settings
from liveness.vision.landmarks import Landmarker
from liveness.vision.spoof import SpoofModel

log = structlog.get_logger(__name__)


@lru_cache(maxsize=1)
def load_landmarker(model_dir: Path) -> tuple[Weights, Landmarker]:
    """Load the weights without which nothing works; raises `ModelMissing`, `ModelCorrupt`."""
    weights = find_landmark_weights(model_dir)
    try:
        return weights, Landmarker(weights.path)
    except ValueError as error:
        raise ModelCorrupt(f"{weights.path} cannot be used: {error}") from error


def load_spoof_model(settings: Settings) -> SpoofModel | None:
    """Load the model that was chosen.

    Only the default one may be missing: then there are no scores, and the log, `/readyz` and each
    verdict say so. Raises `ModelMissing`, `ModelCorrupt`.
    """
    if settings.spoof_model == NO_MODEL:
        log.warning("no anti-spoof model was wanted: sessions get no score")
        return None
    card = None if settings.spoof_model == MINIFASNET else Path(settings.spoof_model)
    try:
        model = _spoof_model(settings.model_dir, card)
    except ModelMissing as error:
        if card is not None:
            raise
        log.warning("no anti-spoof model: sessions get no score", detail=error.detail)
        return None
    log.info("anti-spoof model", name=model.card.name, licence=model.card.licence)
    return model


def load_describer() -> tuple[Describer | None, list[Weights]]:
    """Make what describes faces, and tell its weights.

    They may be missing, in a cut-down installation: then faces are not compared, and the log and
    `/readyz` say so. Raises `ModelCorrupt`.
    """
    try:
        weights = _descriptor_weights()
    except ModelMissing as error:
        log.warning("no face descriptor: faces are not compared", detail=error.detail)
        return None, []
    return Describer(weights.path), [weights]


def digests(weights: Iterable[Weights]) -> dict[str, str]:
    """Tell the SHA-256 of files by their names, as verdicts do."""
    return {each.name: each.sha256 for each in weights}


@lru_cache(maxsize=1)
def _descriptor_weights() -> Weights:
    return find_descriptor_weights()


@lru_cache(maxsize=1)
def _spoof_model(model_dir: Path, card: Path | None) -> SpoofModel:
    return find_spoof_model(model_dir, card)
