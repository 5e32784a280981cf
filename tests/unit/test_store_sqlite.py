"""The SQLite store: compare-and-set on one file, also between processes."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cell_records.errors import BadStore, Conflict, StoreUnavailable
from cell_records.location import store_at
from cell_records.sqlite import IDLE_CONNECTIONS, SqliteStore
from cell_records.store import Stored

INCREMENTS = 40

# Adds to a counter by compare-and-set until it has done so often enough; prints how many races it has lost.
COUNTING = """
import sys
from cell_records.errors import Conflict
from cell_records.sqlite import SqliteStore

store, lost = SqliteStore(sys.argv[1]), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    while True:
        stored = store.read("counter")
        text = "1" if stored is None else str(int(stored.text) + 1)
        try:
            store.compare_and_set("counter", text, expected=None if stored is None else stored.version)
            break
        except Conflict:
            lost += 1
print(lost)
"""


def test_what_was_set_is_read_back_with_its_version(tmp_path: Path) -> None:
    """Versions count from 1."""
    store = SqliteStore(str(tmp_path / "records.db"))
    assert store.read("a") is None
    assert store.compare_and_set("a", "one", expected=None) == 1
    assert store.compare_and_set("a", "two", expected=1) == 2
    assert store.compare_and_set("b", "three", expected=None) == 1
    assert store.read("a") == Stored("two", 2)
    assert store.read_all() == {"a": Stored("two", 2), "b": Stored("three", 1)}


@pytest.mark.parametrize("expected", [None, 0, 2])
def test_another_version_than_the_expected_one_is_a_conflict_and_changes_nothing(
    tmp_path: Path, expected: int | None
) -> None:
    """Also for a key that should not be there yet."""
    store = SqliteStore(str(tmp_path / "records.db"))
    store.compare_and_set("a", "one", expected=None)
    with pytest.raises(Conflict, match="'a'"):
        store.compare_and_set("a", "two", expected=expected)
    assert store.read("a") == Stored("one", 1)


def test_a_missing_key_is_not_changed(tmp_path: Path) -> None:
    """A record that was removed does not come back by a late write."""
    store = SqliteStore(str(tmp_path / "records.db"))
    with pytest.raises(Conflict):
        store.compare_and_set("a", "two", expected=1)
    assert store.read("a") is None


def test_what_was_removed_is_gone_and_its_versions_are_never_given_again(tmp_path: Path) -> None:
    """A writer that still knows the old text must not write over one that was put in its place."""
    store = SqliteStore(str(tmp_path / "records.db"))
    first = store.compare_and_set("cells/a", "old", expected=None)
    with pytest.raises(Conflict):
        store.remove("cells/a", expected=first + 1)
    store.remove("cells/a", expected=first)
    assert (store.read("cells/a"), store.read_all()) == (None, {})
    for version in (first, first + 1):
        with pytest.raises(Conflict):
            store.remove("cells/a", expected=version)
    with pytest.raises(Conflict):
        store.compare_and_set("cells/a", "late", expected=first)
    again = store.compare_and_set("cells/a", "new", expected=None)
    assert again > first
    with pytest.raises(Conflict):
        store.compare_and_set("cells/a", "late", expected=first)
    with pytest.raises(Conflict):
        store.compare_and_set("cells/a", "second", expected=None)
    assert store.read("cells/a") == Stored("new", again)


def test_a_store_survives_its_process(tmp_path: Path) -> None:
    """Another object on the same file sees everything."""
    path = str(tmp_path / "records.db")
    SqliteStore(path).compare_and_set("a", "one", expected=None)
    assert SqliteStore(path).read("a") == Stored("one", 1)


@pytest.mark.parametrize("content", [None, b"this is no database, but somebody's shopping list" * 40])
def test_a_path_that_cannot_hold_a_store_is_unavailable_and_named(
    tmp_path: Path, content: bytes | None
) -> None:
    """A missing folder, and a file that is something else."""
    path = tmp_path / "missing" / "records.db" if content is None else tmp_path / "records.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=re.escape(str(path))):
        SqliteStore(str(path)).read("a")


def test_a_store_that_broke_in_between_is_unavailable_at_each_call(tmp_path: Path) -> None:
    """Nothing of sqlite3 reaches a caller."""
    path = tmp_path / "records.db"
    store = SqliteStore(str(path))
    store.compare_and_set("a", "one", expected=None)
    for each in tmp_path.iterdir():
        each.unlink()
    path.mkdir()
    for call in (
        lambda: store.read("a"),
        lambda: store.compare_and_set("a", "two", expected=1),
        store.read_all,
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_a_database_that_is_put_in_its_place_is_what_the_next_call_sees(tmp_path: Path) -> None:
    """A backup that an admin has brought back: connections that are kept must not go on with the old file."""
    path, backup = tmp_path / "records.db", tmp_path / "backup.db"
    SqliteStore(str(backup)).compare_and_set("a", "of the backup", expected=None)
    store = SqliteStore(str(path))
    store.compare_and_set("a", "one", expected=None)
    backup.rename(path)
    assert store.read("a") == Stored("of the backup", 1)
    assert store.compare_and_set("a", "two", expected=1) == 2
    assert SqliteStore(str(path)).read("a") == Stored("two", 2)


def test_a_database_that_has_gone_is_unavailable_and_not_an_empty_one(tmp_path: Path) -> None:
    """Unknown is not empty: a lost record must not look like a cell that never had one."""
    path = tmp_path / "records.db"
    store = SqliteStore(str(path))
    store.compare_and_set("a", "one", expected=None)
    path.unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.read("a")


def test_between_two_calls_no_lock_is_held(tmp_path: Path) -> None:
    """Another process may write at any time, and what it wrote is read at once."""
    path = str(tmp_path / "records.db")
    store = SqliteStore(path)
    store.compare_and_set("a", "one", expected=None)
    store.compare_and_set("b", "two", expected=None)
    other = sqlite3.connect(path, timeout=0.0, isolation_level=None)
    try:
        for number in range(3):
            assert store.read("a") is not None
            assert len(store.read_all()) == 2
            other.execute("BEGIN EXCLUSIVE")
            other.execute(
                "UPDATE records SET text = ?, version = version + 1 WHERE key = 'a'", (str(number),)
            )
            other.execute("COMMIT")
            assert store.read("a") == Stored(str(number), number + 2)
    finally:
        other.close()


def test_many_threads_share_one_store_and_leave_few_connections(tmp_path: Path) -> None:
    """Each call has a connection for itself; no update is lost."""
    store = SqliteStore(str(tmp_path / "records.db"))
    store.compare_and_set("counter", "0", expected=None)

    def count(_: int) -> None:
        while True:
            stored = store.read("counter")
            assert stored is not None
            try:
                store.compare_and_set("counter", str(int(stored.text) + 1), expected=stored.version)
            except Conflict:
                continue
            return

    with ThreadPoolExecutor(max_workers=8) as threads:
        list(threads.map(count, range(2 * INCREMENTS)))
    assert store.read("counter") == Stored(str(2 * INCREMENTS), 2 * INCREMENTS + 1)
    assert 1 <= len(store._idle) <= IDLE_CONNECTIONS


def test_two_processes_that_race_on_one_file_lose_no_update(tmp_path: Path) -> None:
    """Each adds by compare-and-set; the sum is exact."""
    path = str(tmp_path / "records.db")
    command = [sys.executable, "-c", COUNTING, path, str(INCREMENTS)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = [racer.communicate(timeout=60)[0] for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert [racer.returncode for racer in racers] == [0, 0], told
    assert SqliteStore(path).read("counter") == Stored(str(2 * INCREMENTS), 2 * INCREMENTS)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("sqlite:/var/lib/records.db", "/var/lib/records.db"),
        ("sqlite:///var/lib/records.db", "/var/lib/records.db"),
        ("sqlite:records.db", "records.db"),
    ],
)
def test_a_location_names_its_store(location: str, path: str) -> None:
    """Both customs of writing an absolute path."""
    assert repr(store_at(location)) == f"sqlite:{path}"


@pytest.mark.parametrize(
    "location", ["", "sqlite", "sqlite:", "sqlite:///", "postgres://db", "/var/lib/records.db"]
)
def test_a_location_that_names_no_store_is_refused_with_an_example(location: str) -> None:
    """The message shows what to write."""
    with pytest.raises(BadStore, match=re.escape("sqlite:/var/lib/runner-pool/records.db")):
        store_at(location)
