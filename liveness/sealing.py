"""Pictures at rest: sealed with AES-256-GCM, each bound to the session and name it was kept for.

The key is the operator's, for servers that share a store, or is made on the first start:

keys/pictures.key   32 bytes in base64, for nobody else to read
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liveness.errors import PictureSealed, SealUnusable
from liveness.keys import FOLDER

FILE = "pictures.key"

_BYTES = 32
_NONCE = 12  # bytes; random ones do not repeat among the 2**32 pictures that one key may seal


class Sealing:
    """Seals with the first of its keys, and opens what any of them has sealed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Read keys, one a line; raises `SealUnusable`."""
        keys = [_parsed(line) for line in text.split()]
        if not keys:
            raise SealUnusable("There is no key")
        return cls(keys)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Read a file of keys, one a line; raises `SealUnusable`."""
        try:
            with path.open(encoding="ascii", errors="replace") as file:
                mode, text = os.fstat(file.fileno()).st_mode, file.read()
        except OSError as error:
            raise SealUnusable(f"{path}: {error.strerror}") from error
        if mode & stat.S_IRWXO:
            raise SealUnusable(f"{path} is open to everybody: say chmod 600")
        try:
            return cls.of_text(text)
        except SealUnusable as error:
            raise SealUnusable(f"{path}: {error.detail}") from None

    @classmethod
    def of_folder(cls, data_dir: Path, *, make: bool) -> Self | None:
        """Read the key in `data_dir`; without one, make it or give None. Raises `SealUnusable`."""
        path = data_dir / FOLDER / FILE
        if make and not path.exists():
            try:
                _make(path)
            except OSError as error:
                raise SealUnusable(f"{error.filename or path}: {error.strerror}") from error
        return cls.of_file(path) if path.exists() else None

    def seal(self, picture: bytes, session_id: str, name: str) -> bytes:
        """Encrypt a picture."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, picture, _about(session_id, name))

    def open(self, sealed: bytes, session_id: str, name: str) -> bytes:
        """Decrypt a picture; raises `PictureSealed` where no key fits, or it was moved."""
        nonce, encrypted = sealed[:_NONCE], sealed[_NONCE:]
        for cipher in self._ciphers:
            with suppress(InvalidTag, ValueError):
                return cipher.decrypt(nonce, encrypted, _about(session_id, name))
        raise PictureSealed


def _parsed(text: str) -> bytes:
    """Read a key; raises `SealUnusable`, which does not repeat it."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _BYTES:
        raise SealUnusable("A key is 32 random bytes in base64: openssl rand -base64 32")
    return key


def _make(path: Path) -> None:
    """Make the key: of processes that start at once one does, and none finds half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _about(session_id: str, name: str) -> bytes:
    return f"{session_id}/{name}".encode()
