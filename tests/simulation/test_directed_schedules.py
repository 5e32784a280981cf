"""The worst moments, written by hand: with its guard a schedule ends well, and without that one guard it ends with a kill.

Each schedule stops one call, lets the other process or an instance overtake it, and lets it go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from cell_records.record import CellState
from tests.simulation import mutations
from tests.simulation.weather import Span, Weather
from tests.simulation.world import START, Plan, World

Schedule = Callable[[World], Coroutine[Any, Any, None]]

CELL = "cell-a"
STEADY = Weather(
    rollout_seconds=Span(least=0.5, most=1.0), boot_seconds=Span(least=1.0, most=2.0), lists_lag_seconds=1.0
)
NEVER_DONE = Weather(
    rollout_seconds=Span(least=9_000.0, most=9_001.0), parked_for_seconds=Span(least=60.0, most=61.0)
)
FAR_OFF = START + 100_000.0


async def one_runner(world: World, *, seconds: float) -> None:
    """The cell is open and serves one job of that length."""
    await world.until("a first record", lambda: world.state(CELL) is CellState.ZERO)
    world.github.push(seconds)
    await world.until("a runner with its job", lambda: any(job.runner_id for job in world.github.jobs))


async def close_overtaken_by_a_lease(world: World) -> None:
    """The leader has decided to close an empty cell; before it does, an instance takes a lease."""
    held = world.gates.hold(f"change {CELL} closed")
    await one_runner(world, seconds=5.0)
    await world.until("the close is about to be made", lambda: held.reached)
    world.github.push(200.0)
    await world.until("a lease and its runner", lambda: world.live_runners)
    held.release()
    await world.until("the runner has ended", lambda: world.story.faults or not world.live_runners)


async def start_overtaken_by_the_close(world: World) -> None:
    """An instance is about to take up an offer; its cell closes before, and the zero is on its way."""
    await one_runner(world, seconds=1.0)
    await world.until("the first runner has ended", lambda: not world.live_runners)
    start, lower = world.gates.hold("ask start"), world.gates.hold(f"write {CELL} 0")
    world.github.push(100.0)
    await world.until("an instance takes up the offer", lambda: start.reached)
    world.github.cancel_queued()
    await world.until("the zero is about to be written", lambda: lower.reached, seconds=28.0)
    world.github.push(100.0)
    start.release()
    await world.until(
        "the start was answered",
        lambda: world.live_runners or any(agent.ask > 1 for agent in world.agents),
    )
    lower.release()
    await world.until(
        "the cell is at zero", lambda: world.story.faults or world.state(CELL) is CellState.ZERO
    )


async def raise_overtaken_by_a_higher_one(world: World) -> None:
    """One leader has decided on one instance and stands still; its successor raises to two, and both get jobs."""
    held = world.gates.hold("raising")
    await world.until("a first record", lambda: world.state(CELL) is CellState.ZERO)
    world.github.push(400.0)
    await world.until("the raise is about to be made", lambda: held.reached)
    world.loop.freeze(held.by, until=FAR_OFF)
    world.github.push(400.0)
    await world.until("two runners", lambda: world.live_runners == 2)
    held.release()
    world.loop.thaw()
    await world.until("a job has ended", lambda: world.story.faults or world.live_runners < 2)


async def close_overtaken_by_an_older_raise(world: World) -> None:
    """One leader has decided to raise an open cell and stands still; its successor closes it, the zero is on its way."""
    await one_runner(world, seconds=30.0)
    held = world.gates.hold("raising")
    world.github.push(30.0)
    await world.until("the raise is about to be made", lambda: held.reached)
    older = held.by
    world.loop.freeze(older, until=FAR_OFF)
    world.github.cancel_queued()
    lower = world.gates.hold(f"write {CELL} 0")
    await world.until("the zero is about to be written", lambda: lower.reached)
    world.gates.hold(f"write {CELL} 2", process=older)
    held.release()
    world.loop.thaw()
    world.github.push(200.0)
    with suppress(AssertionError):  # with the guard nobody gets a lease in a closing cell
        await world.until("a runner", lambda: world.live_runners, seconds=150.0)
    lower.release()
    await world.until(
        "the cell is at zero", lambda: world.story.faults or world.state(CELL) is CellState.ZERO
    )


async def zero_confirmed_by_an_old_reading(world: World) -> None:
    """A process has read the zero of one closing and stands still until the next closing, whose zero is not there yet."""
    held = world.gates.hold("only_as_read")
    await one_runner(world, seconds=5.0)
    await world.until("the zero is about to be noted", lambda: held.reached)
    older = held.by
    world.loop.freeze(older, until=FAR_OFF)
    await world.until("the other has noted it", lambda: world.state(CELL) is CellState.ZERO)
    world.github.push(5.0)
    await world.until("the cell is open again", lambda: world.state(CELL) is CellState.OPEN)
    await world.until("and has served", lambda: world.github.idle)
    world.weather = NEVER_DONE
    await world.until("its next zero is written", lambda: world.cloud.pools[CELL].count == 0)
    held.release()
    world.loop.thaw()
    world.github.push(140.0)
    with suppress(AssertionError):  # with the guard nobody gets a lease before the zero has settled
        await world.until("a runner", lambda: world.live_runners, seconds=400.0)
    world.weather = STEADY
    world.cloud.finish_rollout(CELL)
    await world.until("the job is done", lambda: world.story.faults or world.github.idle)


async def lower_by_a_process_that_stood_still(world: World) -> None:
    """A process has closed a cell and stands still before it reads the count; the cell is zeroed, opened and busy again."""
    await one_runner(world, seconds=5.0)
    held = world.gates.hold(f"read {CELL}")
    await world.until("the count is about to be read", lambda: held.reached)
    world.loop.freeze(held.by, until=FAR_OFF)
    await world.until("the other has carried it to zero", lambda: world.state(CELL) is CellState.ZERO)
    world.github.push(140.0)
    await world.until("a runner", lambda: world.live_runners)
    held.release()
    world.loop.thaw()
    await world.until("the job is done", lambda: world.story.faults or world.github.idle)


async def zero_written_late(world: World) -> None:
    """The write of a zero gets no answer and arrives minutes later; the next raise is slow to be sent."""
    world.gates.hold(f"write {CELL} 2")
    lower = world.gates.hold(f"write {CELL} 0")
    await one_runner(world, seconds=5.0)
    await world.until("the zero is about to be written", lambda: lower.reached)
    world.weather = Weather(patch_late=1.0, patch_late_seconds=Span(least=150.0, most=151.0))
    lower.release()
    await asyncio.sleep(1.0)
    world.weather = STEADY
    world.github.push(300.0)
    await world.until(
        "it has served once more", lambda: world.story.faults or world.github.idle, seconds=3_000.0
    )


SCHEDULES: list[tuple[Schedule, mutations.Remove, str]] = [
    (close_overtaken_by_a_lease, mutations.close_over_leases, "the gate closes iff no lease stands"),
    (
        start_overtaken_by_the_close,
        mutations.lease_behind_a_closed_gate,
        "a lease is added iff the gate is open",
    ),
    (raise_overtaken_by_a_higher_one, mutations.raise_to_less, "a raise is never below what is there"),
    (close_overtaken_by_an_older_raise, mutations.reopen_while_closing, "a lower is never aborted"),
    (
        zero_confirmed_by_an_old_reading,
        mutations.confirm_by_an_old_reading,
        "the reading of zero begins after the record was read",
    ),
    (
        lower_by_a_process_that_stood_still,
        mutations.lower_whatever_the_record_says,
        "a lower looks at the record after its reading",
    ),
    (zero_written_late, mutations.confirm_any_count, "CLOSING ends at a reading of 0"),
]
WITH_NAMES = [pytest.param(*each, id=each[0].__name__) for each in SCHEDULES]


# Half of all calls go to a process that stands still; with this seed each schedule comes to its worst moment all the same.
SEED = 4


def happened(schedule: Schedule) -> World:
    """A world of one cell of two instances after the schedule, and its faults."""
    world = World(SEED, Plan(weather=STEADY, sizes={CELL: 2}, most_instances=2))
    world.run(schedule)
    return world


@pytest.mark.parametrize(("schedule", "remove", "guard"), WITH_NAMES)
def test_the_worst_moment_ends_well(schedule: Schedule, remove: mutations.Remove, guard: str) -> None:
    """The guard holds: nothing was killed and nothing else broke."""
    world = happened(schedule)
    assert not world.story.faults, f"{guard}\n{world.story.told()}"


@pytest.mark.parametrize(("schedule", "remove", "guard"), WITH_NAMES)
def test_without_its_guard_the_worst_moment_kills(
    schedule: Schedule, remove: mutations.Remove, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same schedule with one guard removed stops a live runner: the guard is needed, and the test can fail."""
    remove(monkeypatch)
    world = happened(schedule)
    assert any("KILL" in fault for fault in world.story.faults), f"{guard}\n{world.story.told()}"


async def another_hands_failed_zero(world: World) -> None:
    """Its count reads 0 before and after; that two instances ask for work there is all that shows."""
    await one_runner(world, seconds=5.0)
    await world.until("the cell is at zero", lambda: world.state(CELL) is CellState.ZERO)
    pool = world.cloud.pools[CELL]
    await world.until("nobody is left", lambda: not pool.instances)
    world.cloud.leave_behind(CELL, 2)
    await world.until("both are up", lambda: all(each.resident for each in pool.standing))
    await world.until("nobody is left again", lambda: not pool.instances)
    await world.until("the cell is at zero again", lambda: world.state(CELL) is CellState.ZERO)


def test_instances_that_another_hands_failed_zero_has_left_are_brought_to_zero() -> None:
    """Else they would be paid for ever."""
    world = happened(another_hands_failed_zero)
    assert not world.story.faults, world.story.told()
