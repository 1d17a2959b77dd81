"""The keys of relying parties: each has a name, and only its digest is remembered."""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from liveness.errors import SettingsInvalid

DEFAULT_NAME = "default"
"""Of a key that is given without one."""

LEAST_LENGTH = 20
"""Characters; shorter keys are taken, with a warning: a random one of so many has over 100 bits."""

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63}):(?P<key>.*)", re.DOTALL)
_KEY = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""What an Authorization header can carry: ASCII, no white space around it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's name and SHA-256: a key is random, so that needs no salt."""

    name: str
    digest: bytes = field(repr=False)
    short: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:KEY` or `KEY`; raises `ValueError`, which does not repeat it."""
        named = _NAMED.fullmatch(text)
        name, key = (named["name"], named["key"]) if named else (DEFAULT_NAME, text)
        if not _KEY.fullmatch(key):
            raise ValueError("a key is NAME:KEY or KEY, in ASCII, without white space around it")
        return cls(name, _digest(key), short=len(key) < LEAST_LENGTH)


class ApiKeys:
    """All keys. Several may have one name: so one is replaced by another without a gap.

    False where there are none. Raises `SettingsInvalid` for a key with two names.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(dict.fromkeys(keys))
        if len({key.digest for key in self._keys}) < len(self._keys):
            raise SettingsInvalid("The same API key was given two names")
        for name in sorted({key.name for key in self._keys if key.short}):
            log.warning("API key is short and can be guessed", name=name, least=LEAST_LENGTH)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def names(self) -> frozenset[str]:
        """The names of relying parties."""
        return frozenset(key.name for key in self._keys)

    def name_of(self, presented: str) -> str | None:
        """The name of the key that somebody presents, None for what is none.

        In the same time whichever it is.
        """
        digest, found = _digest(presented), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found


def read_key_file(path: Path) -> list[ApiKey]:
    """Read a file of keys, one a line; `#` begins a comment. Raises `SettingsInvalid`.

    A file without any is an error: it must not leave the server open.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = [line.strip() for line in file]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise SettingsInvalid(f"--api-key-file: {path}: {reason}") from None
    if mode & stat.S_IRWXO:
        raise SettingsInvalid(
            f"--api-key-file: {path} is open to everybody (mode {mode:o}): say chmod 600"
        )
    keys = []
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            try:
                keys.append(ApiKey.parse(line))
            except ValueError as error:
                raise SettingsInvalid(f"--api-key-file: {path}:{number}: {error}") from None
    if not keys:
        raise SettingsInvalid(f"--api-key-file: {path} holds no key")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
