"""PURE: what one pool needs now: how many of its queued jobs nothing will take, and how many instances would serve all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cell_records.record import CellState
from scaler.core.demand import covers_a_queued_job
from scaler.core.held_back import HeldBack, held_back
from scaler.core.model import CellSeen, DemandSeen, LeaseState, PoolPolicy, QueuedJob, Seen

# A lease that needs its instance no more.
OVER = (LeaseState.COMPLETED, LeaseState.DYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One pool's numbers. `busy`: leases and offers; `uncovered`: queued jobs that nothing will take; `to_serve`: those
    of them that leases shall be spent on now; `room`: how many more leases max leaves; `may_lease`: for how many
    of those to serve there is one.
    """

    policy: PoolPolicy
    cells: Sequence[CellSeen]
    queued: Sequence[QueuedJob]
    busy: int
    uncovered: int
    to_serve: int
    room: int
    may_lease: int
    held_back: HeldBack | None

    def needed(self, *, without_busy: int = 0) -> int:
        """How many instances would serve that, once `without_busy` of the busy ones have ended."""
        return max(self.policy.min, self.busy - without_busy + self.to_serve + self.policy.warm)

    def wanted(self, *, without_busy: int = 0) -> int:
        """How many of them the pool may have."""
        return min(self.policy.max, self.needed(without_busy=without_busy))


def need_of(pool: PoolPolicy, seen: Seen, queued: Sequence[QueuedJob], *, begun: int = 0) -> Need:
    """What a pool needs beside these queued jobs, the oldest first. `begun`: so many of them leases that are over had begun."""
    cells = [cell for cell in seen.cells if cell.pool == pool.name]
    read_at = _read_at(seen.demand, queued)
    leases = [lease for cell in cells for lease in cell.leases]
    offered = sum(cell.offered for cell in cells)
    covering = offered
    if queued:
        covering += sum(covers_a_queued_job(lease, read_at=read_at) for lease in leases)
    uncovered = max(0, len(queued) - covering - begun)
    held = held_back(cells, now=seen.at, back_off_seconds=pool.back_off_seconds)
    to_serve = uncovered
    if held is not None:
        # One lease at a time shows whether anything has changed.
        to_serve = min(uncovered, 1) if held.tries and not covering else 0
    if pool.paused is not None:
        # Instances that wait for these jobs would be paid for as long as the pause lasts.
        to_serve = 0
    busy = sum(lease.state not in OVER for lease in leases) + offered
    # The instance of a silent lease may long be replaced; the lease may stand for hours, and must not keep its place from jobs.
    silent = sum(lease.state is LeaseState.SILENT for lease in leases)
    room = max(0, pool.max - (busy - silent))
    return Need(
        policy=pool,
        cells=cells,
        queued=queued,
        busy=busy,
        uncovered=uncovered,
        to_serve=to_serve,
        room=room,
        may_lease=min(to_serve, room),
        held_back=held,
    )


def open_cells(cells: Sequence[CellSeen]) -> list[CellSeen]:
    """Those that serve; a held one does not."""
    return [cell for cell in cells if cell.serves]


def standing(cells: Sequence[CellSeen]) -> int:
    """How many instances are there or will be for what the pool needs. In a held cell only those count that are busy by now."""
    return sum(cell.expected for cell in open_cells(cells)) + sum(map(_busy_in, held_cells(cells)))


def held_cells(cells: Sequence[CellSeen]) -> list[CellSeen]:
    """Those that wait for a change and still have instances."""
    return [cell for cell in cells if cell.state is CellState.OPEN and cell.set_aside]


def _busy_in(cell: CellSeen) -> int:
    return sum(lease.state not in OVER for lease in cell.leases) + cell.offered


def _read_at(demand: DemandSeen, queued: Sequence[QueuedJob]) -> float:
    """When the oldest of the readings that show these jobs was begun."""
    shown_by = {job.repository for job in queued}
    return min((demand.repositories[name].at for name in shown_by), default=0.0)
