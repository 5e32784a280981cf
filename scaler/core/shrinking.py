"""PURE: which cells are surplus, since when, and which of them may be closed now."""

from __future__ import annotations

from scaler.core.failed import failed_and_empty
from scaler.core.model import CellSeen, Close, DemandSeen, Keep, Limit, Memory, Reason, Seen
from scaler.core.need import Need, held_cells, open_cells, standing
from scaler.core.plan import Plan
from scaler.core.sharing import Closable

# A cell that Cloud Run could not fill stands in the way of others as long as it counts: it is emptied before all others.
LONGER_THAN_ANY_SECONDS = 1e9


def shrink(need: Need, seen: Seen, memory: Memory, plan: Plan) -> None:
    """Find the cells that the pool does not need, and put forward those for which linger and a second reading
    have passed.

    The linger counts from when a cell is empty: the end of a job is when the jobs that need it are queued. Only
    where the admin wants no linger, the end of the last lease itself may close a cell.
    """
    there = standing(need.cells)
    offers = {grant.cell: grant.leases for grant in plan.grants}
    ended = 0
    _empty_held(need, plan)
    closed = _empty_failed(need, seen, plan)
    for cell in sorted(
        open_cells(need.cells), key=lambda each: (bool(each.leases), -each.counted, each.name)
    ):
        busy = len(cell.leases) + cell.offered + offers.get(cell.name, 0)
        if cell.fault is not None or not cell.writable or cell.name in closed:
            continue
        if busy and need.policy.linger_seconds > 0:
            # What it has beside its jobs is more than the pool needs, and only the end of the jobs can show it.
            if cell.leases and cell.expected > busy and there - (cell.expected - busy) >= need.wanted():
                plan.kept.append(Keep(cell=cell.name, reason=Reason.RUNS_JOBS))
            continue
        if there - cell.expected < need.wanted(without_busy=ended + busy):
            continue
        there, ended = there - cell.expected, ended + busy
        plan.memory[cell.name] = memory.surplus.get(cell.name, seen.at)
        _put_forward(cell, need, seen, plan, busy=busy > 0)


def _put_forward(cell: CellSeen, need: Need, seen: Seen, plan: Plan, *, busy: bool) -> None:
    """What is to be done about a surplus cell now."""
    since = plan.memory[cell.name]
    unconfirmed = _unconfirmed(since, seen.demand)
    lingers_until = since + need.policy.linger_seconds
    if seen.at < lingers_until:
        plan.look_again_at = min(plan.look_again_at, lingers_until)
        plan.kept.append(Keep(cell=cell.name, reason=Reason.LINGERS, until=lingers_until))
    elif not seen.demand.complete:
        plan.limits.append(Limit(pool=cell.pool, reason=Reason.DEMAND_UNKNOWN, short=0))
        plan.kept.append(Keep(cell=cell.name, reason=Reason.DEMAND_UNKNOWN))
    elif unconfirmed:
        plan.confirm |= unconfirmed
        plan.kept.append(Keep(cell=cell.name, reason=Reason.AWAITS_READING))
    else:
        plan.surplus.add(cell.name)
        if not busy:
            plan.closable.append(_closable(cell, Reason.SURPLUS, idle_seconds=seen.at - since))
        elif cell.leases:
            plan.kept.append(Keep(cell=cell.name, reason=Reason.RUNS_JOBS))


def _empty_held(need: Need, plan: Plan) -> None:
    """Put forward the held cells that hold nothing: whoever holds them waits for their zero, and no queue is asked."""
    for cell in held_cells(need.cells):
        if cell.leases or cell.offered:
            plan.kept.append(Keep(cell=cell.name, reason=Reason.HELD_RUNS_JOBS))
        elif cell.fault is None and cell.writable:
            plan.closable.append(_closable(cell, Reason.CELL_HELD, idle_seconds=LONGER_THAN_ANY_SECONDS))


def _empty_failed(need: Need, seen: Seen, plan: Plan) -> set[str]:
    """Put forward the cells that Cloud Run could not fill and that hold nothing; gives their names."""
    busy = {grant.cell for grant in plan.grants} | {rise.cell for rise in plan.raises}
    failed = failed_and_empty(open_cells(need.cells), busy=busy) if seen.demand.complete else []
    plan.closable.extend(
        _closable(cell, Reason.COUNT_FAILED, idle_seconds=LONGER_THAN_ANY_SECONDS) for cell in failed
    )
    return {cell.name for cell in failed}


def _closable(cell: CellSeen, reason: Reason, *, idle_seconds: float) -> Closable:
    return Closable(
        pool=cell.pool,
        close=Close(cell=cell.name, reason=reason),
        instances=cell.counted,
        idle_seconds=idle_seconds,
    )


def _unconfirmed(since: float, demand: DemandSeen) -> set[str]:
    """Repositories that have not been surely read again since the surplus began; quiet ones have said enough."""
    return {
        name
        for name, reading in demand.repositories.items()
        if not reading.quiet and (reading.unsettled or reading.at <= since)
    }
