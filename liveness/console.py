"""What commands print, and how they end."""

import os
import sys

INTERRUPTED = 130
"""Exit status, as a shell gives it to what Ctrl-C ended."""


def say(*lines: str) -> None:
    """Print what was asked for; whoever reads it may stop before the end, as `head` does."""
    try:
        print("\n".join(lines), flush=True)  # noqa: T201 - this is the place for it
    except BrokenPipeError:
        # Nobody reads what follows either, and Python tries once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
