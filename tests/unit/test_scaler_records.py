"""Records for asyncio: every read goes to the store, and a text is decoded only once while it stands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from cell_records import codec
from cell_records.codec import cell_record
from cell_records.errors import RecordElsewhere, RecordUnreadable
from cell_records.record import CellRecord, Lease, closed
from cell_records.sqlite import SqliteStore
from cell_records.store import Stored, cell_key
from scaler.records import Records
from tests.factories import OWNER, UID, a_lease, a_record
from tests.scaler_parts import records_over
from tests.simulation.forgetful_store import ForgetfulStore


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the texts that were really decoded."""
    keys: list[str] = []

    def counted(text: str, *, key: str) -> CellRecord:
        keys.append(key)
        return cell_record(text, key=key)

    monkeypatch.setattr("scaler.records.cell_record", counted)
    return keys


async def test_a_text_that_still_stands_is_not_decoded_again(decoded: list[str]) -> None:
    """A record of a hundred leases is long, and a thousand instances have theirs read every few seconds."""
    store = ForgetfulStore()
    records = records_over(store)
    for name in ("a", "b"):
        store.texts[cell_key(name)] = Stored(codec.cell_text(a_record(leases=[a_lease()])), 1)
    for _ in range(3):
        assert (await records.all()).cells == {"a": await records.cell("a"), "b": await records.cell("b")}
    assert sorted(decoded) == [cell_key("a"), cell_key("b")]


async def test_what_another_process_writes_is_seen_by_the_next_read(tmp_path: Path) -> None:
    """Two scalers overlap at each deployment; the store is the authority, not what was read before."""
    path = str(tmp_path / "records.db")
    nonces = count(1)
    one, other = (
        Records(SqliteStore(path), owner=OWNER, nonce=lambda: f"nonce-{next(nonces)}") for _ in range(2)
    )
    await one.create("a", a_record())
    assert await one.cell("a") == await other.cell("a")
    for number, mine, theirs in ((1, one, other), (2, other, one)):
        before = await mine.cell("a")
        lease = a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}")
        await theirs.change("a", partial(_with, lease=lease), uid=UID)
        after = await mine.cell("a")
        assert after != before
        assert after is not None
        assert after.lease(lease.id) == lease
        assert (await mine.all()).cells == {"a": after}
    # And a change is derived from what stands, not from what was read.
    refused = await one.change("a", closed, uid=UID)
    assert not isinstance(refused, CellRecord)


async def test_a_text_that_cannot_be_read_is_refused_each_time_and_forgotten_once_it_is_mended() -> None:
    store = ForgetfulStore()
    records = records_over(store)
    good = codec.cell_text(a_record())
    for text, readable in ((good, True), (good[:-1], False), (good[:-1], False), (good, True)):
        store.texts[cell_key("a")] = Stored(text, 1)
        found = await records.all()
        assert ("a" in found.cells, "a" in found.unreadable) == (readable, not readable)
        if not readable:
            with pytest.raises(RecordUnreadable):
                await records.cell("a")


HERE, ELSEWHERE = "projects/p/locations/here", "projects/p/locations/elsewhere"


async def test_a_record_of_another_region_is_neither_believed_nor_changed() -> None:
    """A worker pool that is not there here says nothing about it: its jobs run elsewhere."""
    store = ForgetfulStore()
    for cell, location in (("a", ELSEWHERE), ("b", HERE), ("c", "")):
        store.texts[cell_key(cell)] = Stored(codec.cell_text(replace(a_record(), location=location)), 1)
    records = records_over(store, location=HERE)
    found = await records.all()
    assert (sorted(found.cells), sorted(found.unreadable)) == (["b", "c"], ["a"])
    assert all(location in found.unreadable["a"] for location in (HERE, ELSEWHERE))
    for call in (
        records.cell("a"),
        records.change("a", closed, uid=UID),
        records.remove("a", uid=UID, when=lambda _: True),
    ):
        with pytest.raises(RecordElsewhere):
            await call
    assert store.texts[cell_key("a")].version == 1
    assert sorted((await records_over(store).all()).cells) == ["a", "b", "c"]


def _with(record: CellRecord, *, lease: Lease) -> CellRecord:
    return replace(record, leases=(*record.leases, lease))
