"""A store in one SQLite file: the default, for one machine and for tests. Any number of processes may share
it.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cell_records.errors import Conflict, StoreUnavailable
from cell_records.store import Stored, StoreLimits

# How long a writer waits for another one's transaction; each is a single statement, so seconds mean a stuck
# disk.
BUSY_SECONDS = 5.0

# Connections that are kept open between calls: one for each thread that calls at once would be too many in a burst.
IDLE_CONNECTIONS = 4

# How often a file is opened that is made or replaced meanwhile.
OPENINGS = 4

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, version INTEGER NOT NULL, text TEXT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class _Open:
    """A connection, and which file it has open: device and number of the inode."""

    connection: sqlite3.Connection
    file: tuple[int, int]


class SqliteStore:
    """Each call has a connection for itself, so threads and processes need no agreement beyond the file.

    Connections are kept, because opening one costs more than a read. None holds a lock between two calls, and none outlives
    the file it has opened: a database that is put in this one's place is what the next call sees.
    The journal stays SQLite's default: switching to a write-ahead log is refused without waiting when two processes do it
    at once, and a few small writes per job have no need of it.
    """

    limits = StoreLimits()

    def __init__(self, path: str) -> None:
        """`path`: the database file; it is made at the first use."""
        self._path = path
        # Used from any thread; taking one out and putting one in are single steps of a list.
        self._idle: list[_Open] = []
        self._ready = False
        weakref.finalize(self, _close_all, self._idle)

    def __repr__(self) -> str:
        """For messages."""
        return f"sqlite:{self._path}"

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        with self._connection() as connection:
            # To the end, though there is one row at most: a half-read statement would keep its lock.
            rows = connection.execute(
                "SELECT text, version FROM records WHERE key = ? AND text <> ''", (key,)
            ).fetchall()
        return Stored(*rows[0]) if rows else None

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore."""
        with self._connection() as connection:
            rows = connection.execute("SELECT key, text, version FROM records WHERE text <> ''").fetchall()
        return {key: Stored(text, version) for key, text, version in rows}

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        with self._connection() as connection:
            if expected is None:
                # What was removed has left an empty text, so that versions go on where they were.
                found = connection.execute(
                    "INSERT INTO records VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET text = excluded.text, "
                    "version = version + 1 WHERE text = '' RETURNING version",
                    (key, text),
                ).fetchall()
            else:
                found = self._updated(connection, key, text, expected)
        if not found:
            raise Conflict(f"the record {key!r} is no longer at version {expected}")
        version: int = found[0][0]
        return version

    def remove(self, key: str, *, expected: int) -> None:
        """See RecordStore."""
        with self._connection() as connection:
            found = self._updated(connection, key, "", expected)
        if not found:
            raise Conflict(f"the record {key!r} is no longer at version {expected}")

    @staticmethod
    def _updated(connection: sqlite3.Connection, key: str, text: str, expected: int) -> list[tuple[int]]:
        return connection.execute(
            "UPDATE records SET text = ?, version = version + 1 WHERE key = ? AND version = ? AND text <> '' "
            "RETURNING version",
            (text, key, expected),
        ).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            taken = self._taken()
            try:
                yield taken.connection
            except BaseException:
                taken.connection.close()
                raise
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The record store {self!r} does not answer: {error}. Is its folder there and writable, "
                "and is the disk full? Running jobs do not notice; nothing is started or lowered meanwhile."
            ) from error
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(taken)
        else:
            taken.connection.close()

    def _taken(self) -> _Open:
        """A connection to the file that is there now, kept or new. Raises sqlite3.Error."""
        stands = self._file()
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if kept.file == stands:
                return kept
            kept.connection.close()
        return self._opened()

    def _opened(self) -> _Open:
        """A new connection whose file is known. Raises sqlite3.Error."""
        for _ in range(OPENINGS):
            before = self._file()
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                if before is None or before != self._file():
                    # Made or replaced at this very moment: which file this connection has cannot be told.
                    connection.close()
                    continue
                if not self._ready:
                    connection.execute(SCHEMA)
                    self._ready = True
                # A lease must survive a power cut before its registration is made.
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
            return _Open(connection, before)
        raise sqlite3.OperationalError("the database file is replaced again and again")

    def _file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _close_all(idle: list[_Open]) -> None:
    while idle:
        idle.pop().connection.close()
