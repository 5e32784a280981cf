"""What the writer leaves undone: raises that a successor has overtaken, zeros that only a list shows, writes above the quota."""

from __future__ import annotations

from cell_records.record import CellState
from scaler.errors import CapacityRefused, Throttled
from tests.factories import a_record
from tests.unit.test_cell_writer import CELL, WriterWorld


async def test_a_raise_whose_room_a_successor_has_spent_elsewhere_is_dropped() -> None:
    """The request no longer stands in the deployment's record, so two leaders together stay within max."""
    world = WriterWorld(a_record(state=CellState.OPEN))
    world.asked_for(1)
    world.writer.raise_cell(world.cell, 2)
    await world.writer.settle()
    assert world.cloud.writes == []


async def test_a_zero_is_read_from_the_worker_pool_itself() -> None:
    """The reading that led here may come from a list, and lists have been known to lag."""
    world = WriterWorld(a_record(state=CellState.CLOSING))
    listed = world.cell
    world.cloud.becomes(2)
    world.writer.carry(listed, world.record, inhabited=False)
    await world.writer.settle()
    assert world.record.state is CellState.CLOSING


async def test_a_lower_waits_until_the_minute_allows_another_write() -> None:
    """What is sent above the quota is refused, and growth would have to wait for it."""
    world = WriterWorld(a_record(state=CellState.CLOSING), count=1)
    for _ in range(30):
        world.budget.use(world.clock())
    await world.carried()
    assert world.cloud.writes == []
    world.clock.now += 61.0
    await world.carried()
    assert [count for _, count in world.cloud.writes] == [0]


async def test_after_a_write_that_was_throttled_no_cell_is_written_for_a_while() -> None:
    """The quota is the project's: a write for another cell would be refused too."""
    world = WriterWorld(a_record(state=CellState.OPEN))
    world.cloud.fails = [Throttled("Quota exceeded for WritePerMinute", remedy="later")]
    await world.raised(2)
    left = [world.budget.left(world.clock() + after) for after in (0.0, 19.0, 21.0)]
    assert left[:2] == [0, 0]
    assert left[2] > 0


async def test_a_refusal_of_capacity_is_kept_with_its_moment_until_the_cell_is_written_again() -> None:
    world = WriterWorld(a_record(state=CellState.OPEN))
    world.cloud.failed_operation = CapacityRefused("CpuAllocPerProjectRegion allowed: 0")
    await world.raised(2)
    assert world.writer.refused_at == {CELL: world.clock()}
    world.cloud.failed_operation = None
    await world.raised(3)
    assert world.writer.refused_at == {}
