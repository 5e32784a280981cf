"""PURE: puts records, readings and what instances said together into what one tick has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cell_records.record import CellRecord, CellState, Lease
from scaler.cell_directory import Cell
from scaler.core.model import CellSeen, DemandSeen, LeaseSeen, LeaseState
from scaler.instances import LeaseHeard


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What one cell's instances were doing, taken before its record was read."""

    parked: int
    offered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """All that is known of one cell. `record` is None when it is missing or of another worker pool.

    `fault` says why the cell must not be touched; `broken` that this lasts until somebody mends it. `refused_at`: when Cloud Run
    refused the cell's last change for want of capacity, 0 when it did not.
    """

    cell: Cell
    record: CellRecord | None
    present: Present
    requested: int
    writing: bool
    fault: str | None
    broken: bool = False
    refused_at: float = 0.0


def cell_seen(
    facts: CellFacts,
    *,
    heard: Callable[[str], LeaseHeard | None],
    silent: Callable[[Lease], bool],
    jobs: Mapping[int, int],
    settle_seconds: float,
    believed: bool,
) -> CellSeen:
    """One cell as the decision sees it.

    `silent`: whether nothing is expected of a lease any more. `jobs`: runner id -> job id, from the readings of
    demand. `believed`: whether Cloud Run's last reading is recent enough.
    """
    cell, record = facts.cell, facts.record
    leases = () if record is None else record.leases
    return CellSeen(
        name=cell.name,
        pool=cell.pool,
        size=cell.size,
        # Where nothing may be concluded the cell counts, and neither serves nor shrinks.
        state=CellState.CLOSING if record is None or facts.broken else record.state,
        requested=facts.requested,
        observed=cell.worker_pool.count if believed else None,
        leases=tuple(
            lease_seen(lease, heard=heard(lease.id), silent=silent(lease), jobs=jobs) for lease in leases
        ),
        parked=facts.present.parked,
        offered=facts.present.offered,
        ready_at=0.0 if record is None else record.zeroed_at + settle_seconds,
        writable=not facts.writing,
        fault=facts.fault,
        failed=cell.worker_pool.failure if believed and not facts.writing else None,
        obstacles=() if record is None else record.obstacles,
        served_at=0.0 if record is None else record.served_at,
        refused_at=facts.refused_at,
        hold="" if record is None else record.hold,
        canary=record is not None and record.canary_since > 0.0,
    )


def lease_seen(lease: Lease, *, heard: LeaseHeard | None, silent: bool, jobs: Mapping[int, int]) -> LeaseSeen:
    """One lease of a record with what its instance last said."""
    state = LeaseState.UNKNOWN if heard is None else heard.state
    known_job = jobs.get(lease.runner_id) if lease.runner_id is not None else None
    job = lease.job_id if lease.job_id is not None else known_job
    if lease.dying_until is not None:
        state = LeaseState.DYING
    elif silent:
        state = LeaseState.SILENT
    return LeaseSeen(
        id=lease.id,
        state=state,
        since=lease.started_at if heard is None else heard.since,
        runner_id=lease.runner_id,
        job_id=job,
    )


def jobs_by_runner(demand: DemandSeen) -> dict[int, int]:
    """Runner id -> job id, over all readings."""
    return {
        runner: job for reading in demand.repositories.values() for runner, job in reading.running.items()
    }


# The share of the write budget that growth leaves for shrinking, or a bill would outlive a long burst.
SHRINK_RESERVE = 0.3


def shrink_reserve(cells: Iterable[CellSeen], *, per_minute: int) -> int:
    """How many of a minute's writes growth leaves for shrinking: no more than there are cells that could be lowered."""
    lowerable = sum(cell.state is not CellState.ZERO for cell in cells)
    return min(int(per_minute * SHRINK_RESERVE), lowerable)
