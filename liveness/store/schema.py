"""The SQLite file: how it is opened, its tables, and the steps from each version to the next."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes; a write takes some milliseconds."""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        # `body` is the record as JSON; the columns beside it are what is looked for.
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            revision TEXT NOT NULL,
            token_digest TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            key_name TEXT,
            place TEXT NOT NULL UNIQUE,
            expires_at INTEGER NOT NULL,
            owner TEXT,
            due_at INTEGER,
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX sessions_place ON sessions (key_name, place)",
        "CREATE INDEX sessions_status ON sessions (key_name, status, place)",
        "CREATE INDEX sessions_expired ON sessions (expires_at) WHERE owner IS NULL",
        "CREATE INDEX sessions_owner ON sessions (owner) WHERE owner IS NOT NULL",
        "CREATE INDEX sessions_due ON sessions (due_at, place) WHERE due_at IS NOT NULL",
        """CREATE TABLE pictures (
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (session_id, name)
        ) STRICT""",
        "CREATE TABLE owners (owner TEXT PRIMARY KEY, beats INTEGER NOT NULL) STRICT",
        # Times of the wall clock, newest first, as a JSON array.
        "CREATE TABLE hits (key TEXT PRIMARY KEY, times TEXT NOT NULL, until REAL NOT NULL) STRICT",
        "CREATE INDEX hits_until ON hits (until)",
        """CREATE TABLE locks (
            key TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX locks_until ON locks (until)",
        """CREATE TABLE keys (
            kid TEXT PRIMARY KEY, jwk TEXT NOT NULL, expires_at INTEGER NOT NULL
        ) STRICT""",
    ),
)
"""What makes version n + 1 of version n; a step that was released is never changed."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file or make it, readable by its owner only, in its newest version.

    Raises `OSError` and `sqlite3.Error`. Any thread may use the connection, one at a time.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path.parent):
        return _open(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from opening meanwhile: who finds SQLite changing to WAL does not wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)  # the files beside it, -wal and -shm, get the same mode
    database = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        _migrate(database)
    except BaseException:
        database.close()  # and roll back
        raise
    return database


def _migrate(database: sqlite3.Connection) -> None:
    """Take the steps that are missing, all or none; of several processes one does, others wait."""
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise sqlite3.DatabaseError(f"its version {version} is of a newer server")
    for statement in chain.from_iterable(STEPS[version:]):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(STEPS)}")
    database.execute("COMMIT")
