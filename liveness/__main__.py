"""`python -m liveness`: the package's commands."""

import argparse
import sys
from collections.abc import Callable, Sequence

PROG = "python -m liveness"


def _serve(argv: list[str]) -> int:
    from liveness.serve import main as serve  # noqa: PLC0415 - help must not wait for the models

    return serve(argv, prog=f"{PROG} serve")


def _models(argv: list[str]) -> int:
    from liveness.prepare import main as prepare  # noqa: PLC0415 - as above

    return prepare(argv, prog=f"{PROG} models")


def _verify(argv: list[str]) -> int:
    from liveness.verify import main as verify  # noqa: PLC0415 - as above

    return verify(argv, prog=f"{PROG} verify")


def _rotate_key(argv: list[str]) -> int:
    from liveness.keys import main as rotate  # noqa: PLC0415 - as above

    return rotate(argv, prog=f"{PROG} rotate-key")


def _train(argv: list[str]) -> int:
    from liveness.train.__main__ import main as train  # noqa: PLC0415 - as above

    return train(argv)


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "serve": ("serve the page, WHIP and the API", _serve),
    "models": ("bring and prepare the weights", _models),
    "verify": ("check a signed verdict", _verify),
    "rotate-key": ("replace the key that signs verdicts", _rotate_key),
    "train": ("train an anti-spoof net of your own", _train),
}
"""Name, what it does, and what runs it: gets the arguments after the name, returns a status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = "\n".join(f"  {name:<12}{what}" for name, (what, _) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="Tell whether a live person is in front of the camera.",
        epilog=f"commands:\n{commands}\n\n{PROG} COMMAND --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below")
    command = parser.parse_args(arguments[:1]).command
    return COMMANDS[command][1](arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
