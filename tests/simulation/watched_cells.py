"""A world of `simulator.cells` with everything written down that its outcome only counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cell_records.record import CellState
from simulator.assumptions import Assumptions
from simulator.cells.cloud import Answer
from simulator.cells.world import CellsWorld
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome
from simulator.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWritten:
    """One write of a count as it arrived. `at`: seconds since the trace began."""

    at: float
    cell: str
    before: int
    after: int
    answer: Answer

    @property
    def raises(self) -> bool:
        """Whether it asked for more than the write before it."""
        return self.after > self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A world that has ended."""

    world: CellsWorld
    outcome: Outcome
    registered_at: Sequence[float]
    writes: Sequence[CountWritten]

    @property
    def is_at_rest(self) -> bool:
        """Whether every count is zero, every zero is known, and no lease, runner or container is left."""
        cells = self.world.store.cells.values()
        nothing_kept = all(each.state is CellState.ZERO and not each.leases for each in cells)
        return self.world.cloud.quiet and nothing_kept and not self.world.github.running

    @property
    def refused_raises(self) -> Sequence[CountWritten]:
        """Raises for which the region had no CPU."""
        return [each for each in self.writes if each.answer is Answer.NO_CAPACITY]


def watched(trace: Trace, assumptions: Assumptions, faults: Faults = NO_FAULTS) -> Watched:
    """One run of policy cells."""
    world = CellsWorld(trace, assumptions, faults)
    begun, registered, written = world.time.now, list[float](), list[CountWritten]()
    register, set_count = world.github.register, world.cloud.set_count

    def registering() -> int:
        registered.append(world.time.now - begun)
        return register()

    def setting(cell: str, count: int, *, etag: int) -> Answer:
        before = world.cloud.pools[cell].count
        answer = set_count(cell, count, etag=etag)
        written.append(
            CountWritten(at=world.time.now - begun, cell=cell, before=before, after=count, answer=answer)
        )
        return answer

    # Of this world alone, so nothing is to be undone.
    patch = pytest.MonkeyPatch()
    patch.setattr(world.github, "register", registering)
    patch.setattr(world.cloud, "set_count", setting)
    outcome = world.run()
    return Watched(world=world, outcome=outcome, registered_at=registered, writes=written)


def most_in_a_minute(moments: Sequence[float]) -> int:
    """How many of the moments, the earliest first, lie in the minute that holds the most of them."""
    most = oldest = 0
    for newest, at in enumerate(moments):
        while moments[oldest] <= at - 60.0:
            oldest += 1
        most = max(most, newest - oldest + 1)
    return most
