"""Records in Cloud Storage when it is slow, silent, busy, or not there. Ran on: Google's official client, over HTTP, and the
stand-in Cloud Storage.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cell_records.change import Owned, change_cell, create_cell, read_cell, remove_cell
from cell_records.cloud_storage import CloudStorageStore
from cell_records.errors import Conflict, RecordUnreadable, StoreBusy, StoreRefused, StoreUnavailable
from cell_records.patience import PAUSES_SECONDS_MOST
from cell_records.record import CellRecord, Outcome, closed, leased
from cell_records.store import Stored, cell_key
from scaler.records import Records
from tests.emulator_process import Emulator, eventually, running_emulator
from tests.factories import NOW, OWNER, UID, a_lease, a_record, made

A = cell_key("a")
OURS = Owned(owner=OWNER, uid=UID)
FOLDERS = (f"folder-{number}" for number in itertools.count())

# What counts calls and harms none.
COUNTED = {"storage-slow": {"seconds": 0, "share": 1}}

# Runs inside an instance, with the credentials that Cloud Run gives it.
WRITE_A_RECORD = """
import sys, time
from cell_records.location import store_at
store = store_at("gs://records/of-an-instance", endpoint=sys.argv[1])
version = store.compare_and_set("cells/a", "written with its own account", expected=None)
print(store.read("cells/a").version == version, flush=True)
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        world.cloud.make_bucket("records")
        yield world


@pytest.fixture
def world(emulator: Emulator) -> Iterator[Emulator]:
    """Every fault off before and after."""
    yield emulator
    emulator.cloud.put_faults({})


def store_in(world: Emulator, *, bucket: str = "records", timeout_seconds: float = 5.0) -> CloudStorageStore:
    """A folder of its own."""
    return CloudStorageStore(
        bucket, next(FOLDERS), endpoint=world.cloud_url, anonymous=True, timeout_seconds=timeout_seconds
    )


def a_grant(number: int = 1) -> Callable[[CellRecord], Outcome]:
    lease = a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}")
    return partial(leased, lease=lease, uptime_seconds=1.0, room=99, now=NOW)


def one_boot_more(record: CellRecord) -> CellRecord:
    """A change that is not idempotent, unlike those of the protocol: made twice it would show."""
    return replace(record, ended_boots=(*record.ended_boots, f"ended-{len(record.ended_boots)}"))


def changed(
    store: CloudStorageStore,
    pauses: list[float] | None = None,
    *,
    change: Callable[[CellRecord], Outcome] | None = None,
) -> CellRecord:
    """One change, by as many attempts as it takes. `pauses`: where waits are noted instead of made."""
    sleep = (lambda _: None) if pauses is None else pauses.append
    nonce = lambda: "mine"  # noqa: E731
    return made(
        change_cell(store, "a", change or a_grant(), owned=OURS, nonce=nonce, sleep=sleep, chance=lambda: 0.5)
    )


def calls(world: Emulator, act: Callable[[], object]) -> int:
    """How many calls of Cloud Storage `act` makes."""
    world.cloud.put_faults(COUNTED)
    before = world.cloud.struck("storage-slow")
    act()
    return world.cloud.struck("storage-slow") - before


def test_a_write_is_sent_once_though_its_reply_is_lost(world: Emulator) -> None:
    """Sent again it would be refused as stale, and look as if another hand had been quicker."""
    store = store_in(world)
    before = world.cloud.struck("storage-reply-lost")
    world.cloud.put_faults({"storage-reply-lost": {"share": 1}})
    with pytest.raises(StoreUnavailable) as caught:
        store.compare_and_set(A, "one", expected=None)
    assert not isinstance(caught.value, StoreBusy)
    assert world.cloud.struck("storage-reply-lost") == before + 1
    world.cloud.put_faults({})
    found = store.read(A)
    assert found is not None
    assert found.text == "one"


def test_a_change_whose_reply_was_lost_is_found_by_its_nonce(world: Emulator) -> None:
    """It is made, made once, and known to be made."""
    store = store_in(world)
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    created = store.read(A)
    world.cloud.put_faults({"storage-reply-lost": {"share": 1, "most": 1}})
    record = changed(store, change=one_boot_more)
    assert len(record.ended_boots) == 1
    standing = store.read(A)
    assert standing is not None
    assert created is not None
    assert read_cell(store, "a") == record
    # No other generation was made on the way: the next write names this one.
    world.cloud.put_faults({})
    assert store.compare_and_set(A, "next", expected=standing.version) > standing.version > created.version


def test_a_silent_store_is_given_up_after_the_time_out_and_its_write_is_found(world: Emulator) -> None:
    patient = store_in(world, timeout_seconds=5.0)
    hasty = CloudStorageStore(
        "records",
        str(patient).rsplit("/", 1)[1],
        endpoint=world.cloud_url,
        anonymous=True,
        timeout_seconds=0.4,
    )
    create_cell(patient, "a", a_record(), nonce=lambda: "first")
    assert hasty.read(A) is not None
    # The reading passes, the write is made, and its reply comes too late.
    world.cloud.put_faults({"storage-slow": {"seconds": 2, "share": 1, "after": 1, "most": 1}})
    record = changed(hasty, change=one_boot_more)
    assert (len(record.ended_boots), record) == (1, read_cell(patient, "a"))


def removed(store: CloudStorageStore, pauses: list[float]) -> bool:
    """One removal, by as many attempts as it takes. `pauses`: where waits are noted instead of made."""
    return remove_cell(
        store, "a", owned=OURS, when=lambda it: not it.leases, sleep=pauses.append, chance=lambda: 0.5
    )


def test_a_removal_whose_reply_was_lost_is_sent_once_and_known_to_be_made(world: Emulator) -> None:
    """Sent again it would find nothing, and look as if another hand had removed it."""
    store, pauses = store_in(world), list[float]()
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    stands = store.read(A)
    assert stands is not None
    world.cloud.put_faults({"storage-reply-lost": {"share": 1, "most": 1}})
    with pytest.raises(StoreUnavailable):
        store.remove(A, expected=stands.version)
    assert store.read(A) is None
    create_cell(store, "a", a_record(), nonce=lambda: "again")
    before = world.cloud.struck("storage-reply-lost")
    world.cloud.put_faults({"storage-reply-lost": {"share": 1, "most": 1}})
    assert removed(store, pauses)
    assert world.cloud.struck("storage-reply-lost") == before + 1
    assert (store.read(A), store.read_all()) == (None, {})


def test_a_removal_pauses_where_the_store_asks_for_it(world: Emulator) -> None:
    """The verb that holds a cell has just written its record, and one write a second is allowed."""
    store, pauses = store_in(world), list[float]()
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    world.cloud.put_faults({"storage-unavailable": {"share": 1, "after": 1, "most": 1}})
    assert removed(store, pauses)
    assert len([each for each in pauses if each]) == 1
    assert store.read(A) is None


def test_another_hand_that_is_quicker_than_a_removal_is_heard(world: Emulator) -> None:
    """A lease that came in between stays."""
    store = store_in(world)
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    stands = store.read(A)
    assert stands is not None
    assert changed(store).leases
    with pytest.raises(Conflict):
        store.remove(A, expected=stands.version)
    assert not removed(store, [])
    assert store.read(A) is not None


def test_a_store_that_answers_503_asks_for_a_pause(world: Emulator) -> None:
    """Growing waits, and the change is made in the end."""
    store = store_in(world)
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    world.cloud.put_faults({"storage-unavailable": {"share": 1, "after": 1, "most": 1}})
    pauses: list[float] = []
    assert changed(store, pauses).leases
    assert len(pauses) == 1
    world.cloud.put_faults({"storage-unavailable": {"share": 1, "most": 1}})
    with pytest.raises(StoreBusy, match="503"):
        store.compare_and_set(A, "one", expected=None)


def test_a_bucket_that_is_not_there_is_a_refusal_and_no_unknown_outcome(world: Emulator) -> None:
    """Neither a reading nor a change is tried again for it."""
    store = store_in(world, bucket="nobodys")
    asks: list[Callable[[], object]] = [
        store.read_all,
        lambda: store.compare_and_set(A, "one", expected=None),
        lambda: create_cell(store, "a", a_record(), nonce=lambda: "first"),
    ]
    for ask in asks:
        with pytest.raises(StoreRefused, match="404"):
            ask()


def test_a_reading_is_repeated_and_a_listing_too(world: Emulator) -> None:
    store = store_in(world)
    version = store.compare_and_set(A, "one", expected=None)
    reads: list[Callable[[], object]] = [lambda: store.read(A), lambda: store.read_all()[A]]
    for read in reads:
        world.cloud.put_faults({"storage-unavailable": {"share": 1, "most": 2}})
        assert read() == Stored("one", version)
    world.cloud.put_faults({"storage-unavailable": {"share": 1}})
    with pytest.raises(StoreUnavailable, match="did not list the records"):
        store.read_all()


def test_more_than_one_write_a_second_waits_for_its_turn_in_bounds(world: Emulator) -> None:
    """A refusal is no outcome, and nobody waits longer than a registration can be used."""
    store = store_in(world)
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    world.cloud.put_faults({"storage-write-rate": {"writes_per_second": 0.001}})
    with pytest.raises(StoreBusy, match="429"):
        store.compare_and_set(A, "one", expected=1)
    pauses: list[float] = []
    with pytest.raises(StoreUnavailable, match="asked for pauses"):
        changed(store, pauses)
    assert pauses == sorted(pauses)
    assert PAUSES_SECONDS_MOST - 2 < sum(pauses) <= PAUSES_SECONDS_MOST
    world.cloud.put_faults({})
    assert changed(store).leases


def test_another_hand_that_is_quicker_is_a_conflict_and_the_change_is_decided_again(world: Emulator) -> None:
    store = store_in(world)
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    stands = store.read(A)
    assert stands is not None
    world.cloud.put_faults({"storage-raced": {"share": 1, "most": 1}})
    with pytest.raises(Conflict):
        store.compare_and_set(A, "one", expected=stands.version)
    world.cloud.put_faults({"storage-raced": {"share": 1, "most": 3}})
    pauses: list[float] = []
    assert changed(store, pauses).leases
    assert pauses == []


def test_a_bucket_that_is_not_there_is_not_an_empty_one(world: Emulator) -> None:
    """Unknown is not empty: a lost bucket must not look like cells that never had a record."""
    store = store_in(world, bucket="never-made")
    calls: list[Callable[[], object]] = [
        lambda: store.read(A),
        store.read_all,
        lambda: store.compare_and_set(A, "x", expected=None),
        lambda: store.remove(A, expected=1),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=r"gs://never-made/.*Make the bucket"):
            call()


def test_nobody_at_the_endpoint_is_told() -> None:
    store = CloudStorageStore(
        "records", "f", endpoint="http://127.0.0.1:9", anonymous=True, timeout_seconds=0.5
    )
    for call in (lambda: store.read(A), store.read_all, lambda: store.compare_and_set(A, "x", expected=None)):
        with pytest.raises(StoreUnavailable, match="gs://records/f"):
            call()


def test_a_listing_fetches_only_what_has_changed(world: Emulator) -> None:
    """A tick reads all records, and sixty cells must not be sixty calls."""
    store, other = store_in(world), None
    other = CloudStorageStore(
        "records", str(store).rsplit("/", 1)[1], endpoint=world.cloud_url, anonymous=True
    )
    for number in range(12):
        store.compare_and_set(cell_key(f"c-{number}"), "one", expected=None)
    assert calls(world, store.read_all) == 1  # its own writes it knows
    assert calls(world, other.read_all) == 13
    assert calls(world, other.read_all) == 1
    found = store.read(cell_key("c-7"))
    assert found is not None
    store.compare_and_set(cell_key("c-7"), "two", expected=found.version)
    assert calls(world, other.read_all) == 2
    assert other.read_all() == store.read_all()


async def test_one_record_that_is_no_text_keeps_no_other_from_being_read(world: Emulator) -> None:
    """And what else lies in the folder is nobody's record."""
    store = store_in(world)
    folder = str(store).rsplit("/", 1)[1]
    create_cell(store, "a", a_record(), nonce=lambda: "first")
    for name, content in (("cells/b", b'{"format":1,\xff'), ("notes.txt", b"hello"), ("deployments", b"{}")):
        reply = world.cloud.http.post(
            "/upload/storage/v1/b/records/o",
            params={"uploadType": "media", "name": f"{folder}/{name}"},
            content=content,
        )
        assert reply.status_code == 200
    records = Records(store, owner=OWNER, nonce=lambda: "x")
    everything = await records.all()
    assert (set(everything.cells), set(everything.unreadable)) == ({"a"}, {"b"})
    with pytest.raises(RecordUnreadable):
        change_cell(store, "b", closed, owned=OURS, nonce=lambda: "x")


def test_no_cache_may_keep_a_record(world: Emulator) -> None:
    """A public object could be an hour old otherwise."""
    store = store_in(world)
    store.compare_and_set(A, "one", expected=None)
    folder = str(store).rsplit("/", 1)[1]
    seen = world.cloud.http.get(f"/storage/v1/b/records/o/{folder}%2Fcells%2Fa").json()
    assert (seen["cacheControl"], seen["contentType"]) == ("no-store", "application/json")


def test_an_instance_reaches_its_records_with_the_account_that_cloud_run_gives_it(world: Emulator) -> None:
    """Application default credentials, from the metadata server; without the role that is named it is refused with its name."""
    command, account = (
        [sys.executable, "-c", WRITE_A_RECORD, world.cloud_url],
        "direct@demo.iam.gserviceaccount.com",
    )
    for pool, roles in (("may-not", ()), ("writes", ("roles/storage.objectUser",))):
        world.cloud.give_roles(account, *roles)
        world.cloud.create_worker_pool(pool, command, count=1, service_account=account)
        (instance,) = world.cloud.wait_for_running(pool, 1)
        said = eventually(
            partial(world.cloud.log, instance["id"]),
            lambda log: log == "True\n" or "nothing is started or lowered meanwhile.\n" in log,
            what="its word",
        )
        assert said == "True\n" if roles else "Grant this program's account roles/storage.objectUser" in said
