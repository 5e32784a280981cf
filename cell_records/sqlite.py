"""A store in one SQLite file: the default, for one machine and for tests. Any number of processes may share
it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cell_records.errors import Conflict, StoreUnavailable
from cell_records.store import Stored

# How long a writer waits for another one's transaction; each is a single statement, so seconds mean a stuck
# disk.
BUSY_SECONDS = 5.0

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, version INTEGER NOT NULL, text TEXT NOT NULL)"
)


class SqliteStore:
    """Each call opens its own connection, so threads and processes need no agreement beyond the file.

    The journal stays SQLite's default: switching to a write-ahead log is refused without waiting when two processes do it
    at once, and a few small writes per job have no need of it.
    """

    def __init__(self, path: str) -> None:
        """`path`: the database file; it is made at the first use."""
        self._path = path
        self._ready = False

    def __repr__(self) -> str:
        """For messages."""
        return f"sqlite:{self._path}"

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        with self._connection() as connection:
            row = connection.execute("SELECT text, version FROM records WHERE key = ?", (key,)).fetchone()
        return None if row is None else Stored(row[0], row[1])

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore."""
        with self._connection() as connection:
            rows = connection.execute("SELECT key, text, version FROM records").fetchall()
        return {key: Stored(text, version) for key, text, version in rows}

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        with self._connection() as connection:
            if expected is None:
                done = connection.execute("INSERT OR IGNORE INTO records VALUES (?, 1, ?)", (key, text))
            else:
                done = connection.execute(
                    "UPDATE records SET text = ?, version = version + 1 WHERE key = ? AND version = ?",
                    (text, key, expected),
                )
        if done.rowcount != 1:
            raise Conflict(f"the record {key!r} is no longer at version {expected}")
        return 1 if expected is None else expected + 1

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                if not self._ready:
                    connection.execute(SCHEMA)
                    self._ready = True
                # A lease must survive a power cut before its registration is made.
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The record store {self!r} does not answer: {error}. Is its folder there and writable, "
                "and is the disk full? Running jobs do not notice; nothing is started or lowered meanwhile."
            ) from error
