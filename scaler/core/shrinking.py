"""PURE: which cells are surplus, since when, and which of them are closed now."""

from __future__ import annotations

from scaler.core.failed import failed_and_empty
from scaler.core.model import Close, DemandSeen, Limit, Memory, Reason, Seen
from scaler.core.need import Need, open_cells
from scaler.core.plan import Budget, Plan


def shrink(need: Need, seen: Seen, memory: Memory, budget: Budget, plan: Plan) -> None:
    """Find the cells that the pool does not need, and close those for which linger and a second reading have
    passed.

    The linger counts from when a cell is empty: the end of a job is when the jobs that need it are queued. Only
    where the admin wants no linger, the end of the last lease itself may close a cell.
    """
    standing = sum(cell.expected for cell in open_cells(need.cells))
    offers = {grant.cell: grant.leases for grant in plan.grants}
    ended = 0
    closed = _empty_failed(need, seen, budget, plan)
    for cell in sorted(
        open_cells(need.cells), key=lambda each: (bool(each.leases), -each.counted, each.name)
    ):
        busy = len(cell.leases) + cell.offered + offers.get(cell.name, 0)
        if cell.fault is not None or not cell.writable or (busy and need.policy.linger_seconds > 0):
            continue
        if cell.name in closed:
            continue
        if standing - cell.expected < need.wanted(without_busy=ended + busy):
            continue
        standing, ended = standing - cell.expected, ended + busy
        since = memory.surplus.get(cell.name, seen.at)
        plan.memory[cell.name] = since
        unconfirmed = _unconfirmed(since, seen.demand)
        lingers_until = since + need.policy.linger_seconds
        if seen.at < lingers_until:
            plan.look_again_at = min(plan.look_again_at, lingers_until)
        elif not seen.demand.complete:
            plan.limits.append(Limit(pool=cell.pool, reason=Reason.DEMAND_UNKNOWN, short=0))
        elif unconfirmed:
            plan.confirm |= unconfirmed
        else:
            plan.surplus.add(cell.name)
            if busy == 0 and (budget.shrink_writes > 0 or cell.counted == 0):
                plan.closes.append(Close(cell=cell.name, reason=Reason.SURPLUS))
                budget.shrink_writes -= cell.counted > 0


def _empty_failed(need: Need, seen: Seen, budget: Budget, plan: Plan) -> set[str]:
    """Close the cells that Cloud Run could not fill and that hold nothing; gives their names."""
    busy = {grant.cell for grant in plan.grants} | {rise.cell for rise in plan.raises}
    failed = failed_and_empty(need.cells, busy=busy) if seen.demand.complete else []
    for cell in failed[: max(0, budget.shrink_writes)]:
        plan.closes.append(Close(cell=cell.name, reason=Reason.COUNT_FAILED))
        budget.shrink_writes -= 1
    return {close.cell for close in plan.closes}


def _unconfirmed(since: float, demand: DemandSeen) -> set[str]:
    """Repositories that have not been surely read again since the surplus began; quiet ones have said enough."""
    return {
        name
        for name, reading in demand.repositories.items()
        if not reading.quiet and (reading.unsettled or reading.at <= since)
    }
