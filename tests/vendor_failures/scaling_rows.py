"""Counts of Cloud Run: lost updates, busy instances as victims, refused capacity, instances that vanish."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.obstacles import Obstacle
from cell_records.record import CellState
from scaler import removals
from scaler.cell_writer import CellWriter
from scaler.cloud_run.wire import Operation, WorkerPool
from scaler.core import invariants, model, need, shrinking
from scaler.core.decide import decide
from scaler.core.model import LeaseState, Memory, Reason
from scaler.errors import CapacityRefused
from scaler.lease_ends import LeaseOutcome, StopCause
from tests.factories import (
    NOW,
    a_cell,
    a_lease,
    a_policy,
    a_pool,
    a_record,
    an_obstacle,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)
from tests.simulation import mutations
from tests.simulation.test_obstacles import an_hour_with, an_image_that_is_too_old
from tests.unit.test_cell_keeper import SERVING, SUSPECT, KeeperWorld
from tests.unit.test_cell_keeper_lost_jobs import completed
from tests.unit.test_cell_writer import CELL, WriterWorld
from tests.vendor_failures.row import Row, patched


async def a_count_that_somebody_else_has_raised() -> None:
    world = WriterWorld(a_record(state=CellState.OPEN), count=1)
    world.cloud.after_read = [lambda: world.cloud.becomes(3)]
    await world.raised(2)
    assert world.cloud.pool.count == 3


async def write_blindly(writer: CellWriter, reading: WorkerPool, count: int) -> Operation:
    """Without the etag of the reading."""
    now_there = await writer._cloud.get_worker_pool(reading.id)
    return await writer._cloud.set_count(replace(reading, etag=now_there.etag), count)


async def a_running_job_and_an_empty_queue() -> None:
    world = WriterWorld(a_record(state=CellState.OPEN, leases=[a_lease()]), count=1)
    await world.closed()
    assert world.cloud.writes == []


async def fewer_wanted_than_run() -> None:
    world = WriterWorld(a_record(state=CellState.OPEN, leases=[a_lease()]), count=3)
    await world.raised(2)
    assert world.cloud.pool.count == 3


def a_cell_with_one_busy_runner_among_idle_ones() -> None:
    """Nobody can say which instances a lower count would take, so there is none but zero, and none over a lease."""
    busy = an_open_cell("a", count=8, parked=7, leases=[lease_seen()])
    memory = Memory()
    for at in (NOW, NOW + 100.0, NOW + 200.0):
        made, memory = decide(
            a_policy(a_pool(linger_seconds=0.0)), seen(busy, demand=demand(at=at), at=at), memory
        )
        assert (made.closes, made.raises) == ((), ())


def leases_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """Only the queue says what is needed."""
    shrink = shrinking.shrink

    def blind(need, *rest):  # type: ignore[no-untyped-def] # handed through
        cells = [replace(cell, leases=()) for cell in need.cells]
        shrink(replace(need, cells=cells, busy=0), *rest)

    patch.setattr(shrinking, "shrink", blind)


async def no_capacity_after_a_burst() -> None:
    world = WriterWorld(a_record(state=CellState.OPEN))
    world.cloud.failed_operation = CapacityRefused("CpuAllocPerProjectRegion requested: 8000 allowed: 0")
    await world.raised(2)
    rest = world.writer.rest(CELL)
    assert rest is not None
    assert "allowed: 0" in rest.why
    assert rest.until >= world.clock() + 30.0


def an_instance_that_vanished() -> None:
    gone = lease_seen(LeaseState.SILENT)
    facts = seen(an_open_cell("a", leases=[gone], parked=1), demand=demand(*jobs(1)))
    assert [grant.cell for grant in decide(a_policy(), facts, Memory())[0].grants] == ["a"]


async def an_instance_that_was_killed_for_its_memory() -> None:
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.github.jobs[70] = completed("failure")
    await world.keep(after=SUSPECT)
    (told,) = world.told.events
    assert (told.outcome, told.cause, told.conclusion) == (
        LeaseOutcome.LOST,
        StopCause.EXTERNAL,
        "failure",
    )


def an_image_that_falls_behind() -> None:
    an_hour_with(an_image_that_is_too_old)


def an_image_that_is_broken() -> None:
    """Whatever comes up in its place is as broken as what has gone."""
    met = [an_obstacle(f"lease-{n}", Obstacle.RUNNER_FAILED, at=NOW - 9.0 + n) for n in range(2)]
    facts = seen(an_open_cell("a", parked=1, obstacles=met), a_cell("b"), demand=demand(*jobs(3)))
    made, _ = decide(a_policy(), facts, Memory())
    assert (made.grants, made.raises) == ((), ())
    assert Reason.RUNNER_FAILS in {limit.reason for limit in made.limits}


def never_held_back(patch: pytest.MonkeyPatch) -> None:
    """Every lease is as good as the first; the last fence, which would stop the program, is taken away too."""
    patch.setattr(need, "held_back", lambda cells, **_: None)
    patch.setattr(invariants, "held_back", lambda cells, **_: None)


ROWS = (
    Row(
        name="count-without-etag",
        holds=a_count_that_somebody_else_has_raised,
        without=patched(CellWriter, "_write", write_blindly),
    ),
    Row(
        name="running-jobs-are-not-queued",
        holds=a_running_job_and_an_empty_queue,
        without=mutations.close_over_leases,
    ),
    Row(name="lower-than-what-runs", holds=fewer_wanted_than_run, without=mutations.raise_to_less),
    Row(
        name="scale-down-of-a-busy-pool",
        holds=a_cell_with_one_busy_runner_among_idle_ones,
        without=leases_are_not_looked_at,
    ),
    Row(
        name="no-capacity-after-a-burst",
        holds=no_capacity_after_a_burst,
        without=patched(CellWriter, "_leave_alone", lambda *_: None),
    ),
    Row(
        name="workers-vanish-mid-job",
        holds=an_instance_that_vanished,
        without=patched(model, "surely_held", len),
    ),
    Row(
        name="out-of-memory",
        holds=an_instance_that_was_killed_for_its_memory,
        without=patched(removals, "outcome_of_silent", lambda *_, **__: (LeaseOutcome.FINISHED, None)),
    ),
    Row(name="runner-version-drift", holds=an_image_that_falls_behind, without=never_held_back),
    Row(name="fails-fast-in-a-loop", holds=an_image_that_is_broken, without=never_held_back),
)
