"""PURE: how many instances each pool should have, and what to do about it now.

`decide(policy, seen, memory)` gives a value; whoever performs it has nothing left to decide. Grow at once to
demand, smallest free cell first; close what is surplus, after a linger and two readings that agree; never
touch a cell with a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cell_records.record import CellState
from scaler.core.demand import queued_by_pool
from scaler.core.failed import failed_and_empty, limits_of_failed
from scaler.core.model import (
    CellSeen,
    Close,
    Decision,
    DemandSeen,
    Grant,
    Limit,
    Memory,
    Policy,
    PoolPicture,
    QueuedJob,
    Raise,
    Reason,
    Seen,
)
from scaler.core.need import Need, need_of, open_cells
from scaler.core.picture import picture_of
from scaler.core.unservable import passed_over, without_unservable

# The longest a quiet deployment goes without a decision; every signal brings an earlier one.
LOOK_AGAIN_SECONDS = 30.0


@dataclass(slots=True)
class _Budget:
    """What one tick may still use; pools draw from it one after another."""

    instances: int
    registrations: int
    writes: int
    shrink_writes: int


@dataclass(slots=True, kw_only=True)
class _Plan:
    """The growing decision of one tick."""

    grants: list[Grant] = field(default_factory=list)
    raises: list[Raise] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    pools: list[PoolPicture] = field(default_factory=list)
    allowed: dict[str, int] = field(default_factory=dict)
    surplus: set[str] = field(default_factory=set)
    confirm: set[str] = field(default_factory=set)
    memory: dict[str, float] = field(default_factory=dict)
    look_again_at: float


def decide(policy: Policy, seen: Seen, memory: Memory) -> tuple[Decision, Memory]:
    """What to do now, with reasons, and what to remember. Pools with higher priority draw from shared limits
    first.
    """
    leases = [lease for cell in seen.cells for lease in cell.leases]
    queued = queued_by_pool(policy.pools, seen.demand, leases)
    passed = passed_over(queued, seen.cells, seen.demand, memory.passed, now=seen.at)
    plan = _Plan(look_again_at=seen.at + LOOK_AGAIN_SECONDS)
    needs = []
    for pool in policy.pools:
        servable, left_out = without_unservable(pool.name, queued[pool.name], seen.cells, passed, now=seen.at)
        plan.limits.extend(left_out.limits)
        plan.look_again_at = min(plan.look_again_at, left_out.until)
        needs.append(need_of(pool, seen, servable))
    budget = _Budget(
        instances=policy.max_instances - sum(cell.counted for cell in seen.cells),
        registrations=seen.registrations_left,
        writes=seen.writes_left,
        shrink_writes=seen.shrink_writes_left,
    )
    for need in sorted(
        needs, key=lambda each: (-each.policy.priority, _oldest(each.queued), each.policy.name)
    ):
        _grant(need, budget, plan, direct=policy.direct)
        _grow(need, seen, budget, plan)
        _shrink(need, seen, memory, budget, plan)
        if policy.direct:
            _allow(need, plan)
        plan.pools.append(
            picture_of(
                need.policy.name,
                need.cells,
                need.queued,
                uncovered=need.uncovered,
                wanted=need.wanted(),
                now=seen.at,
            )
        )
    decision = Decision(
        grants=tuple(plan.grants),
        raises=tuple(plan.raises),
        closes=tuple(plan.closes),
        limits=tuple(plan.limits),
        pools=tuple(sorted(plan.pools, key=lambda picture: picture.pool)),
        allowed=plan.allowed,
        surplus=frozenset(plan.surplus),
        confirm=frozenset(plan.confirm),
        look_again_at=plan.look_again_at,
    )
    return decision, Memory(surplus=plan.memory, passed=passed)


def _grant(need: Need, budget: _Budget, plan: _Plan, *, direct: bool) -> None:
    """Offer leases to parked instances, in the fullest cells first so that the emptiest drain.

    Cells whose last lease had no job for its image come last: with a rollout under way others may be sound.
    """
    short = 0 if direct else need.to_serve
    for cell in sorted(
        open_cells(need.cells), key=lambda each: (each.fails, not each.leases, each.size, each.name)
    ):
        ready = min(short, cell.parked - cell.offered, max(0, cell.counted - cell.held - cell.offered))
        leases = min(ready, budget.registrations)
        if leases < ready:
            plan.limits.append(
                Limit(pool=need.policy.name, reason=Reason.NO_REGISTRATIONS_LEFT, short=ready - leases)
            )
        if leases > 0:
            plan.grants.append(Grant(cell=cell.name, leases=leases, reason=Reason.PARKED_CAN_TAKE))
            budget.registrations -= leases
            short -= leases


def _grow(need: Need, seen: Seen, budget: _Budget, plan: _Plan) -> None:
    """Raise cells until the pool has what it wants or a bound says stop."""
    pool = need.policy
    short = need.needed() - sum(cell.expected for cell in open_cells(need.cells))
    short = _held_back(need, short, plan)
    if short <= 0:
        return
    plan.limits.extend(limits_of_failed(pool.name, need.cells))
    room = pool.max - sum(cell.counted for cell in need.cells)
    for limit, reason in ((room, Reason.AT_POOL_MAX), (budget.instances, Reason.AT_DEPLOYMENT_MAX)):
        if short > max(0, limit):
            plan.limits.append(Limit(pool=pool.name, reason=reason, short=short - max(0, limit)))
            short = max(0, limit)
    reason = _growth_reason(need)
    for cell in _growable(need.cells, short=short, writes=budget.writes, now=seen.at):
        if short <= 0:
            break
        if budget.writes <= 0:
            plan.limits.append(Limit(pool=pool.name, reason=Reason.NO_WRITES_LEFT, short=short))
            return
        more = min(short, cell.size - cell.counted)
        plan.raises.append(Raise(cell=cell.name, to=cell.counted + more, reason=reason))
        budget.writes -= 1
        budget.shrink_writes -= 1
        budget.instances -= more
        short -= more
    if short > 0:
        wrong = {cell.fault or cell.failed for cell in need.cells}
        faults = "; ".join(sorted(each for each in wrong if each is not None))
        plan.limits.append(Limit(pool=pool.name, reason=Reason.NO_FREE_CELL, short=short, detail=faults))
        cooling = [
            cell.ready_at for cell in need.cells if cell.state is CellState.ZERO and cell.ready_at > seen.at
        ]
        plan.look_again_at = min([plan.look_again_at, *cooling])


def _held_back(need: Need, short: int, plan: _Plan) -> int:
    """How many more instances a pool may ask for whose last leases have met an obstacle."""
    held = need.held_back
    if held is None:
        return short
    free = sum(cell.counted - cell.held for cell in open_cells(need.cells))
    may = max(0, need.to_serve - max(0, free))
    left_out = need.uncovered - need.to_serve + max(0, short - may)
    if left_out > 0:
        plan.limits.append(
            Limit(pool=need.policy.name, reason=held.reason, short=left_out, detail=held.detail)
        )
    if not held.tries:
        plan.look_again_at = min(plan.look_again_at, held.until)
    return min(short, may)


def _growable(cells: Sequence[CellSeen], *, short: int, writes: int, now: float) -> list[CellSeen]:
    """Cells that may be raised: open ones with room, then free ones, smallest first while the write budget
    lasts.
    """
    usable = [
        cell
        for cell in cells
        if cell.writable and cell.fault is None and cell.failed is None and cell.counted < cell.size
    ]
    started = sorted(
        (cell for cell in usable if cell.state is CellState.OPEN), key=lambda cell: (cell.fails, cell.name)
    )
    free = sorted(
        (cell for cell in usable if cell.state is CellState.ZERO and cell.ready_at < now),
        key=lambda cell: (cell.fails, cell.size, cell.name),
    )
    reach, needed = sum(cell.size - cell.counted for cell in started), len(started)
    for cell in free:
        if reach >= short:
            break
        reach, needed = reach + cell.size, needed + 1
    if needed > writes:
        free.sort(key=lambda cell: (cell.fails, -cell.size, cell.name))
    return started + free


def _shrink(need: Need, seen: Seen, memory: Memory, budget: _Budget, plan: _Plan) -> None:
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


def _empty_failed(need: Need, seen: Seen, budget: _Budget, plan: _Plan) -> set[str]:
    """Close the cells that Cloud Run could not fill and that hold nothing; gives their names."""
    busy = {grant.cell for grant in plan.grants} | {rise.cell for rise in plan.raises}
    failed = failed_and_empty(need.cells, busy=busy) if seen.demand.complete else []
    for cell in failed[: max(0, budget.shrink_writes)]:
        plan.closes.append(Close(cell=cell.name, reason=Reason.COUNT_FAILED))
        budget.shrink_writes -= 1
    return {close.cell for close in plan.closes}


def _allow(need: Need, plan: _Plan) -> None:
    """Direct mode: how many leases each cell may hold at once; the needed cells first, so that others drain.

    A cell without a job to hope for gets 0: a lease that ends there is not followed by another.
    """
    asked = {rise.cell: rise.to for rise in plan.raises}
    serving = {
        cell.name: asked.get(cell.name, cell.counted)
        for cell in sorted(
            need.cells, key=lambda each: (each.name in plan.memory, not each.leases, each.size, each.name)
        )
        if cell.state is CellState.OPEN or cell.name in asked
    }
    leases = {cell.name: len(cell.leases) for cell in need.cells}
    silent = {cell.name: len(cell.leases) - cell.held for cell in need.cells}
    short = need.to_serve
    for cell, count in serving.items():
        more = min(short, max(0, count + silent[cell] - leases[cell]))
        plan.allowed[cell] = leases[cell] + more if more else 0
        short -= more
    if short > 0:
        # More jobs wait than instances are free, so each instance that comes free goes on.
        plan.allowed.update({cell: count + silent[cell] for cell, count in serving.items()})


def _growth_reason(need: Need) -> Reason:
    if need.to_serve:
        return Reason.QUEUED_JOBS
    return Reason.KEEP_WARM if need.busy + need.policy.warm > need.policy.min else Reason.KEEP_MIN


def _oldest(queued: Sequence[QueuedJob]) -> float:
    return queued[0].queued_at if queued else float("inf")


def _unconfirmed(since: float, demand: DemandSeen) -> set[str]:
    """Repositories that have not been surely read again since the surplus began; quiet ones have said enough."""
    return {
        name
        for name, reading in demand.repositories.items()
        if not reading.quiet and (reading.unsettled or reading.at <= since)
    }
