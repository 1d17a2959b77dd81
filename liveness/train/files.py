"""Files that are either written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write(path: Path, content: bytes | str) -> None:
    """Write a file at once, so that an interruption leaves the old one or the new one."""
    data = content.encode() if isinstance(content, str) else content
    write_with(path, lambda file: file.write(data))


def write_with(path: Path, save: Callable[[IO[bytes]], object]) -> None:
    """Have `save` write to a file that takes the place of `path` when it is complete."""
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        save(file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
