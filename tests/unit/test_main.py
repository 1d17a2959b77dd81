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
