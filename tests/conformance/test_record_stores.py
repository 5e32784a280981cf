"""What every store of records must do. Ran on: a SQLite file; Google's official client and the stand-in Cloud Storage, which
allows one write of an object a second.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from cell_records.change import Owned, change_cell, create_cell, read_cell
from cell_records.errors import Conflict, StoreUnavailable
from cell_records.location import store_at
from cell_records.record import CellRecord, CellState, Refusal, closed, leased
from cell_records.store import DEPLOYMENT_KEY, RecordStore, Stored, cell_key
from scaler.records import Records
from tests.emulator_process import Emulator, running_emulator
from tests.factories import NOW, OWNER, UID, a_lease, a_record, made, refusal

A, B = cell_key("a"), cell_key("b")
FOLDERS = (f"folder-{number}" for number in itertools.count())

Open = Callable[[], RecordStore]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        world.cloud.make_bucket("records")
        world.cloud.put_faults({"storage-write-rate": {}})
        yield world


@pytest.fixture(params=["sqlite", "cloud storage"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same new place again and again, as several processes would."""
    if request.param == "sqlite":
        return lambda: store_at(f"sqlite:{tmp_path / 'records.db'}")
    world: Emulator = request.getfixturevalue("emulator")
    location = f"gs://records/{next(FOLDERS)}"
    return lambda: store_at(location, endpoint=world.cloud_url, anonymous=True)


def turn(store: RecordStore) -> None:
    """Wait until the store allows the next write of the same key."""
    time.sleep(store.limits.writes_apart_seconds)


def test_what_was_set_is_read_back_with_its_version(opened: Open) -> None:
    store, other = opened(), opened()
    assert store.read(A) is None
    assert store.read_all() == {}
    first = store.compare_and_set(A, "one", expected=None)
    assert store.read(A) == other.read(A) == Stored("one", first)
    of_deployment = store.compare_and_set(DEPLOYMENT_KEY, "three", expected=None)
    turn(store)
    second = store.compare_and_set(A, "two, süß", expected=first)
    assert second != first
    for each in (store, other):
        assert each.read(A) == Stored("two, süß", second)
        expected = {A: Stored("two, süß", second), DEPLOYMENT_KEY: Stored("three", of_deployment)}
        assert each.read_all() == expected


def test_another_version_than_the_expected_one_is_a_conflict_and_changes_nothing(opened: Open) -> None:
    store = opened()
    first = store.compare_and_set(A, "one", expected=None)
    turn(store)
    second = store.compare_and_set(A, "two", expected=first)
    for expected in (None, first, second + 1):
        turn(store)
        with pytest.raises(Conflict, match="cells/a"):
            store.compare_and_set(A, "three", expected=expected)
    assert store.read(A) == Stored("two", second)


def test_what_was_removed_is_gone_and_its_versions_are_never_given_again(opened: Open) -> None:
    """A writer that still knows the old text must not write over one that was put in its place."""
    store, other = opened(), opened()
    first = store.compare_and_set(A, "old", expected=None)
    assert other.read_all() == {A: Stored("old", first)}
    turn(store)
    with pytest.raises(Conflict):
        store.remove(A, expected=first + 1)
    turn(store)
    store.remove(A, expected=first)
    for each in (store, other):
        assert (each.read(A), each.read_all()) == (None, {})
    for version in (first, first + 1):
        turn(store)
        with pytest.raises(Conflict):
            store.remove(A, expected=version)
    turn(store)
    with pytest.raises(Conflict):
        store.compare_and_set(A, "late", expected=first)
    turn(store)
    again = store.compare_and_set(A, "new", expected=None)
    assert again > first
    for expected in (first, None):
        turn(store)
        with pytest.raises(Conflict):
            store.compare_and_set(A, "late", expected=expected)
    assert store.read(A) == other.read(A) == Stored("new", again)


def test_a_missing_key_is_not_changed(opened: Open) -> None:
    """A record that was removed does not come back by a late write."""
    store = opened()
    with pytest.raises(Conflict):
        store.compare_and_set(A, "two", expected=1)
    assert store.read(A) is None


def test_a_listing_shows_what_others_have_written_since(opened: Open) -> None:
    """What is kept of earlier readings never hides a newer one."""
    store, other = opened(), opened()
    first = store.compare_and_set(A, "one", expected=None)
    assert store.read_all() == other.read_all() == {A: Stored("one", first)}
    turn(store)
    for text, mine, theirs in (("two", store, other), ("three", other, store)):
        found = mine.read(A)
        assert found is not None
        version = mine.compare_and_set(A, text, expected=found.version)
        new = theirs.compare_and_set(cell_key(text), "new", expected=None)
        assert mine.read_all() == theirs.read_all()
        assert mine.read_all()[A] == Stored(text, version)
        assert mine.read_all()[cell_key(text)] == Stored("new", new)
        turn(store)


def test_of_many_that_create_one_record_at_once_one_wins(opened: Open) -> None:
    writers = 8
    start = Barrier(writers)

    def create(number: int) -> bool:
        store = opened()
        assert store.read(B) is None  # the connection is there before the race
        start.wait(10)
        try:
            store.compare_and_set(A, str(number), expected=None)
        except (Conflict, StoreUnavailable):
            return False
        return True

    with ThreadPoolExecutor(writers) as threads:
        won = list(threads.map(create, range(writers)))
    stored = opened().read(A)
    assert won.count(True) == 1
    assert stored is not None
    assert stored.text == str(won.index(True))


def test_processes_that_race_for_one_record_lose_no_lease(opened: Open) -> None:
    """Four agents in direct mode, each with a store of its own, start at once in one cell."""
    create_cell(opened(), "a", a_record(), nonce=lambda: "first")

    def grant(number: int) -> CellRecord:
        lease = a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}")
        change = partial(leased, lease=lease, uptime_seconds=1.0, room=99, now=NOW)
        owned = Owned(owner=OWNER, uid=UID)
        return made(change_cell(opened(), "a", change, owned=owned, nonce=lambda: f"nonce-{number}"))

    with ThreadPoolExecutor(4) as threads:
        records = list(threads.map(grant, range(4)))
    standing = read_cell(opened(), "a")
    assert standing is not None
    assert sorted(lease.id for lease in standing.leases) == [f"lease-{number}" for number in range(4)]
    assert Counter(len(record.leases) for record in records) == {1: 1, 2: 1, 3: 1, 4: 1}


class Counted:
    """A store, and how often it was written."""

    def __init__(self, inner: RecordStore) -> None:
        self._inner = inner
        self.limits = inner.limits
        self.writes = 0

    def read(self, key: str) -> Stored | None:
        return self._inner.read(key)

    def read_all(self) -> Mapping[str, Stored]:
        return self._inner.read_all()

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        self.writes += 1
        return self._inner.compare_and_set(key, text, expected=expected)

    def remove(self, key: str, *, expected: int) -> None:
        self.writes += 1
        self._inner.remove(key, expected=expected)


async def test_the_changes_that_one_scaler_wants_at_once_are_few_writes(opened: Open) -> None:
    """Eight instances of a cell start at once: the first lease is one write, the other seven are the next."""
    nonces = itertools.count()
    store = Counted(opened())
    records = Records(store, owner=OWNER, nonce=lambda: f"nonce-{next(nonces)}")
    await records.create("a", a_record())
    async with asyncio.TaskGroup() as group:
        changes = [
            group.create_task(
                records.change(
                    "a",
                    partial(
                        leased,
                        lease=a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}"),
                        uptime_seconds=1.0,
                        room=7,
                        now=NOW,
                    ),
                    uid=UID,
                )
            )
            for number in range(8)
        ]
    outcomes = [change.result() for change in changes]
    assert [len(made(each).leases) for each in outcomes[:7]] == list(range(1, 8))
    assert refusal(outcomes[7]) is Refusal.NO_ROOM
    assert store.writes <= 3  # the first record, and the eight in one write or two
    assert refusal(await records.change("a", closed, uid=UID)) is Refusal.LEASES_STAND
    found = await records.cell("a")
    assert found is not None
    assert (found.state, len(found.leases)) == (CellState.OPEN, 7)
