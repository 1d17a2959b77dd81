import subprocess
import sys
from importlib.util import find_spec

import pytest

from liveness.train import __main__ as command
from liveness.train.options import Options

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # an import of it fails
import liveness.train
import liveness.train.__main__
import liveness.train.metrics
"""


def test_the_package_is_imported_without_torch() -> None:
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", WITHOUT_TORCH], check=True, timeout=60
    )


def test_without_the_extra_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command, "find_spec", lambda name: None if name == "torch" else find_spec("json")
    )
    assert command.main(["somewhere"]) == 2
    error = capsys.readouterr().err
    assert "training needs torch" in error
    assert 'pip install "liveness[train]"' in error


def test_help_names_the_folders_the_nets_and_the_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        Options.from_args(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "{train,val,test}/{live,spoof}" in text
    assert all(net in text for net in ("cnn", "mobilenet", "mobilenetv2"))
    assert "default: 0.001" in text
    assert "None" not in text


@pytest.mark.parametrize(
    "argv",
    [
        ["--epochs", "0"],
        ["--batch", "1"],
        ["--lr", "-1"],
        ["--lr", "nan"],
        ["--width", "0"],
        ["--net", "resnet"],
        ["--seed", "x"],
    ],
)
def test_an_option_that_cannot_be_is_refused(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Options.from_args(["somewhere", *argv])
    assert ended.value.code == 2
    assert f"argument {argv[0]}: " in capsys.readouterr().err


def test_each_width_of_a_net_has_its_own_folder() -> None:
    names = [
        Options.from_args(["somewhere", "--net", "cnn", "--width", width]).run.name
        for width in ("1", "0.5")
    ]
    assert names == ["cnn", "cnn-0.5"]
