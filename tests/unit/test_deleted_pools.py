"""Records whose worker pool was deleted: their leases end after a while, and nothing is left at GitHub."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaler.lease_ends import LeaseOutcome
from tests.factories import a_lease, a_record, a_worker_pool
from tests.unit.test_cell_keeper import CELL, LISTENING, SERVING, SETTLE, KeeperWorld


def deleted(world: KeeperWorld) -> KeeperWorld:
    """The world without its worker pool."""
    world.is_listed = world.is_there = False
    return world


async def test_a_deleted_worker_pool_ends_its_leases_once_nobody_there_can_speak_any_more() -> None:
    """Told as lost by another hand; the registration that nobody will use is removed."""
    world = deleted(KeeperWorld(a_record(leases=[LISTENING])))
    await world.keep()
    await world.keep(after=SETTLE - 1.0)
    assert world.leases == [LISTENING.id]
    await world.keep(after=2.0)
    await world.keep(after=10.0)
    assert world.leases == []
    assert world.told.removals == [(LISTENING.id, LeaseOutcome.LOST)]
    assert world.told.events[0].why == "its worker pool was deleted"
    assert world.github.deleted == [LISTENING.runner_id]


@pytest.mark.parametrize(("is_listed", "is_there"), [(True, False), (False, True)])
async def test_a_worker_pool_that_one_answer_still_shows_keeps_its_leases(
    is_listed: bool, is_there: bool
) -> None:
    """Lists have omitted what lives; and what is listed is kept like any other cell."""
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.is_listed, world.is_there = is_listed, is_there
    for _ in range(3):
        await world.keep(after=SETTLE + 1.0)
    assert world.leases == [SERVING.id]


async def test_a_worker_pool_that_is_back_begins_to_be_gone_anew() -> None:
    """One wrong answer in between proves nothing, two of them neither."""
    world = deleted(KeeperWorld(a_record(leases=[SERVING])))
    await world.keep()
    world.is_there = True
    await world.keep(after=SETTLE)
    world.is_there = False
    await world.keep(after=2.0)
    assert world.leases == [SERVING.id]


async def test_where_the_region_was_changed_nothing_counts_as_deleted() -> None:
    """The worker pool is in no list and is not found by its name, while its jobs run in the region of before; nor does one of
    the same name that was made here take its record's place.
    """
    record = replace(a_record(leases=[SERVING]), location="projects/p/locations/before")
    world = deleted(KeeperWorld(record, a_worker_pool(CELL, count=0)))
    world.records.location = "projects/p/locations/now"
    await world.keep()
    await world.keep(after=SETTLE + 1.0)
    world.is_listed = world.is_there = True
    await world.keep(after=SETTLE + 1.0)
    assert (world.record, world.github.deleted, world.told.removals) == (record, [], [])


async def test_a_first_record_says_where_its_worker_pool_is() -> None:
    """So that a later change of the configuration is noticed."""
    world = KeeperWorld(None, a_worker_pool(CELL, count=0))
    world.records.location = "projects/p/locations/now"
    await world.keep()
    assert world.record is not None
    assert world.record.location == "projects/p/locations/now"


async def test_the_hard_end_holds_for_a_deleted_worker_pool_too() -> None:
    """A process that looks once and ends cannot wait for anything else."""
    over = replace(a_lease(), hard_end=1.0)
    world = deleted(KeeperWorld(a_record(leases=[over])))
    await world.keep()
    assert world.leases == []


async def test_a_record_that_has_changed_since_it_was_read_keeps_its_leases() -> None:
    """It may be that of a new worker pool of the same name, with jobs of its own."""
    world = deleted(KeeperWorld(a_record(leases=[LISTENING])))
    await world.keep()
    read = await world.records.all()
    world.put(a_record(leases=[LISTENING, a_lease(lease_id="lease-2", boot="boot-2")]))
    await world.keep(after=SETTLE + 1.0, read=read)
    assert world.leases == [LISTENING.id, "lease-2"]
