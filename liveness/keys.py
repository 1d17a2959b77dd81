"""The key that signs verdicts, in a folder: made once, changed by rotation, its public part kept.

keys/signing.pem   the private key; there is never more than one
keys/KID.json      a public key, and until when verdicts that it signed may live
"""

import argparse
import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from liveness.errors import KeyUnusable
from liveness.signing import Jwk, SigningKey

FOLDER = "keys"
PRIVATE_FILE = "signing.pem"

_OWNER_ONLY = 0o700
_NOBODY_ELSE = 0o600

log = structlog.get_logger(__name__)


class PublicKey(BaseModel):
    """A public key; every verdict that it signed is over at `expires`."""

    model_config = ConfigDict(frozen=True)

    jwk: Jwk
    expires: AwareDatetime

    @property
    def kid(self) -> str:
        """What names it."""
        return self.jwk["kid"]


class KeyFolder:
    """The keys in `data_dir`. Any number of processes may use it at once.

    Every method raises `KeyUnusable`.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / FOLDER
        self._private = self._folder / PRIVATE_FILE

    def signing_key(self) -> SigningKey:
        """Read the private key, or make it: processes that start at once agree on one."""
        with self._locked():
            if not self._private.exists():
                self._write(self._private, _new_key())
            return self._read()

    def rotate(self, now: datetime, *, revoke: bool = False) -> SigningKey:
        """Put a new private key in place of the one there is, which is gone with that.

        Public keys that have expired are forgotten. `revoke`: all others expire now. Where no
        server has made a key none is made: nobody would sign with it.
        """
        with self._explained():
            if not self._private.exists():
                raise KeyUnusable(f"No key is kept in {self._folder}: a server makes the first one")
        with self._locked():
            self._write(self._private, _new_key())
            for key in self.listed():
                if key.expires <= now:
                    self._public(key).unlink()
                elif revoke:
                    expired = key.model_copy(update={"expires": now})
                    self._write(self._public(key), expired.model_dump_json().encode())
            return self._read()

    def publish(self, key: PublicKey) -> None:
        """Keep a public key, in place of what was known of it."""
        with self._locked():
            self._write(self._public(key), key.model_dump_json().encode())

    def published(self, now: datetime) -> list[PublicKey]:
        """List the public keys that verdicts may still need."""
        return [key for key in self.listed() if key.expires > now]

    def listed(self) -> list[PublicKey]:
        """List all public keys, those that have expired as well."""
        with self._explained():
            return [
                PublicKey.model_validate_json(path.read_bytes())
                for path in sorted(self._folder.glob("*.json"))
            ]

    def _public(self, key: PublicKey) -> Path:
        return self._folder / f"{key.kid}.json"

    def _read(self) -> SigningKey:
        """Read the private key, unless anybody could have."""
        with self._private.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
        if mode & stat.S_IRWXO:
            raise KeyUnusable(
                f"{self._private} is open to everybody (mode {mode:o}): whoever reads it can sign "
                f"verdicts. Delete it for another one to be made, or say chmod 600 if nobody has"
            )
        if mode & stat.S_IRWXG:  # as Kubernetes leaves files of a volume with an fsGroup
            log.warning(
                "the signing key is open to a group", file=str(self._private), mode=f"{mode:o}"
            )
        private = serialization.load_pem_private_key(content, None)
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnusable(f"{self._private} is no Ed25519 key")
        return SigningKey(private)

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file for nobody else, that is never there half. Wants the lock."""
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)  # of a process that was killed
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NOBODY_ELSE)
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:  # who may rotate the key of a server that is not root's
                folder = self._folder.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing the folder, which is made if it is not there."""
        with self._explained():
            self._data_dir.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            self._folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise KeyUnusable(f"{error.filename or self._folder}: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            # What cannot be read may hold a secret: no word of it.
            what = "a public key" if isinstance(error, ValidationError) else PRIVATE_FILE
            raise KeyUnusable(f"{what} in {self._folder} cannot be read") from None


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def main(argv: list[str], prog: str | None = None) -> int:
    """Rotate the key; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Put a new key in place of the one that signs verdicts, which is erased. Those "
        "that it signed stay valid: its public key is published until they have expired. Servers "
        "take the new one up by themselves.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("LIVENESS_DATA_DIR") or "data"),
        help="folder of what is kept (default: data)",
    )
    parser.add_argument(
        "--revoke",
        action="store_true",
        help="the old key may be known to others: nothing that it signed is valid any more",
    )
    given = parser.parse_args(argv)
    try:
        key = KeyFolder(given.data_dir).rotate(datetime.now(UTC), revoke=given.revoke)
    except KeyUnusable as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a word to whoever started it
        return 1
    print(f"New key {key.kid}: servers take it up within ten minutes")  # noqa: T201 - as above
    return 0
