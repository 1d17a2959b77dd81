import os
import subprocess
import sys

import pytest

from liveness.__main__ import COMMANDS, main


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for name, (what, _) in COMMANDS.items():
        assert name in said
        assert what in said


def test_a_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    assert "--ice-address" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["none"]])
def test_no_command_is_an_error(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_a_bad_value_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "-1"]) == 2
    assert capsys.readouterr().err.startswith("error: --port: ")


def test_training_has_help_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    assert "--epochs" in capsys.readouterr().out


@pytest.mark.parametrize("buffered", ["", "1"])
def test_whoever_reads_may_stop(buffered: str) -> None:
    command = [sys.executable, "-m", "liveness", "serve", "--show-settings"]
    environment = os.environ | {"PYTHONUNBUFFERED": buffered}
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(  # noqa: S603 - ours
            command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False, timeout=30
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")
