"""PURE: how many instances each pool should have, and what to do about it now.

`decide(policy, seen, memory)` gives a value; whoever performs it has nothing left to decide. Grow at once to
demand, smallest free cell first; close what is surplus, after a linger and two readings that agree; never
touch a cell with a lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cell_records.record import CellState
from scaler.core.demand import covers_a_queued_job, queued_by_pool
from scaler.core.model import (
    CellSeen,
    Close,
    Decision,
    DemandSeen,
    Grant,
    LeaseState,
    Limit,
    Memory,
    PassedOver,
    Policy,
    PoolPicture,
    PoolPolicy,
    QueuedJob,
    Raise,
    Reason,
    Seen,
)
from scaler.core.picture import picture_of
from scaler.core.unservable import kind_of, passed_over

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """One pool's numbers. `busy`: leases and offers; `uncovered`: queued jobs that nothing will take."""

    policy: PoolPolicy
    cells: Sequence[CellSeen]
    queued: Sequence[QueuedJob]
    busy: int
    uncovered: int

    def needed(self, *, without_busy: int = 0) -> int:
        """How many instances would serve everything, once `without_busy` of the busy ones have ended."""
        return max(self.policy.min, self.busy - without_busy + self.uncovered + self.policy.warm)

    def wanted(self, *, without_busy: int = 0) -> int:
        """How many of them the pool may have."""
        return min(self.policy.max, self.needed(without_busy=without_busy))


def decide(policy: Policy, seen: Seen, memory: Memory) -> tuple[Decision, Memory]:
    """What to do now, with reasons, and what to remember. Pools with higher priority draw from shared limits
    first.
    """
    leases = [lease for cell in seen.cells for lease in cell.leases]
    queued = queued_by_pool(policy.pools, seen.demand, leases)
    passed = passed_over(queued, seen.cells, seen.demand, memory.passed, now=seen.at)
    plan = _Plan(look_again_at=seen.at + LOOK_AGAIN_SECONDS)
    queued = {pool: _servable(pool, jobs, passed, plan, now=seen.at) for pool, jobs in queued.items()}
    needs = [_need(pool, seen, queued[pool.name]) for pool in policy.pools]
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


def _servable(
    pool: str,
    jobs: Sequence[QueuedJob],
    passed: Mapping[tuple[str, frozenset[str]], PassedOver],
    plan: _Plan,
    *,
    now: float,
) -> tuple[QueuedJob, ...]:
    """The jobs that are demand; of each kind that is left out for now the plan says so."""
    left_out: dict[tuple[str, frozenset[str]], int] = {}
    for job in jobs:
        if passed[kind_of(job)].until > now:
            left_out[kind_of(job)] = left_out.get(kind_of(job), 0) + 1
    for kind, count in sorted(left_out.items(), key=lambda each: (each[0][0], sorted(each[0][1]))):
        detail = f"{kind[0]} [{', '.join(sorted(kind[1]))}]"
        plan.limits.append(Limit(pool=pool, reason=Reason.UNSERVABLE, short=count, detail=detail))
        plan.look_again_at = min(plan.look_again_at, passed[kind].until)
    return tuple(job for job in jobs if kind_of(job) not in left_out)


def _need(pool: PoolPolicy, seen: Seen, queued: Sequence[QueuedJob]) -> _Need:
    cells = [cell for cell in seen.cells if cell.pool == pool.name]
    read_at = _read_at(seen.demand, queued)
    leases = [lease for cell in cells for lease in cell.leases]
    offered = sum(cell.offered for cell in cells)
    covering = sum(covers_a_queued_job(lease, read_at=read_at) for lease in leases)
    over = (LeaseState.COMPLETED, LeaseState.DYING)
    return _Need(
        policy=pool,
        cells=cells,
        queued=queued,
        busy=sum(lease.state not in over for lease in leases) + offered,
        uncovered=max(0, len(queued) - covering - offered),
    )


def _grant(need: _Need, budget: _Budget, plan: _Plan, *, direct: bool) -> None:
    """Offer leases to parked instances, in the fullest cells first so that the emptiest drain."""
    short = 0 if direct else need.uncovered
    for cell in sorted(_open(need.cells), key=lambda each: (not each.leases, each.size, each.name)):
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


def _grow(need: _Need, seen: Seen, budget: _Budget, plan: _Plan) -> None:
    """Raise cells until the pool has what it wants or a bound says stop."""
    pool = need.policy
    short = need.needed() - sum(cell.expected for cell in _open(need.cells))
    if short <= 0:
        return
    failures = sorted({cell.failed for cell in _open(need.cells) if cell.failed})
    if failures:
        missing = sum(cell.counted - cell.expected for cell in _open(need.cells))
        plan.limits.append(
            Limit(pool=pool.name, reason=Reason.NO_CAPACITY, short=missing, detail="; ".join(failures))
        )
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


def _growable(cells: Sequence[CellSeen], *, short: int, writes: int, now: float) -> list[CellSeen]:
    """Cells that may be raised: open ones with room, then free ones, smallest first while the write budget
    lasts.
    """
    usable = [
        cell
        for cell in cells
        if cell.writable and cell.fault is None and cell.failed is None and cell.counted < cell.size
    ]
    started = sorted((cell for cell in usable if cell.state is CellState.OPEN), key=lambda cell: cell.name)
    free = sorted(
        (cell for cell in usable if cell.state is CellState.ZERO and cell.ready_at < now),
        key=lambda cell: (cell.size, cell.name),
    )
    reach, needed = sum(cell.size - cell.counted for cell in started), len(started)
    for cell in free:
        if reach >= short:
            break
        reach, needed = reach + cell.size, needed + 1
    if needed > writes:
        free.sort(key=lambda cell: (-cell.size, cell.name))
    return started + free


def _shrink(need: _Need, seen: Seen, memory: Memory, budget: _Budget, plan: _Plan) -> None:
    """Find the cells that the pool does not need, and close those for which linger and a second reading have
    passed.

    The linger counts from when a cell is empty: the end of a job is when the jobs that need it are queued. Only
    where the admin wants no linger, the end of the last lease itself may close a cell.
    """
    standing = sum(cell.expected for cell in _open(need.cells))
    offers = {grant.cell: grant.leases for grant in plan.grants}
    ended = 0
    _close_failed(need, seen, offers, budget, plan)
    closed = {close.cell for close in plan.closes}
    for cell in sorted(_open(need.cells), key=lambda each: (bool(each.leases), -each.counted, each.name)):
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


def _close_failed(need: _Need, seen: Seen, offers: Mapping[str, int], budget: _Budget, plan: _Plan) -> None:
    """Close the cells whose instances Cloud Run refused to start and that hold nothing: only a zero lets them be tried again.

    The rest after the refusal (the cell's `fault`) spaces the tries.
    """
    for cell in _open(need.cells):
        idle = not (cell.leases or cell.offered or cell.parked or offers.get(cell.name))
        if cell.failed is None or cell.fault is not None or not cell.writable or not idle:
            continue
        raised = any(rise.cell == cell.name for rise in plan.raises)
        if seen.demand.complete and not raised and budget.shrink_writes > 0:
            plan.closes.append(Close(cell=cell.name, reason=Reason.COUNT_FAILED))
            budget.shrink_writes -= 1


def _allow(need: _Need, plan: _Plan) -> None:
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
    short = need.uncovered
    for cell, count in serving.items():
        more = min(short, max(0, count + silent[cell] - leases[cell]))
        plan.allowed[cell] = leases[cell] + more if more else 0
        short -= more
    if short > 0:
        # More jobs wait than instances are free, so each instance that comes free goes on.
        plan.allowed.update({cell: count + silent[cell] for cell, count in serving.items()})


def _growth_reason(need: _Need) -> Reason:
    if need.uncovered:
        return Reason.QUEUED_JOBS
    return Reason.KEEP_WARM if need.busy + need.policy.warm > need.policy.min else Reason.KEEP_MIN


def _open(cells: Sequence[CellSeen]) -> list[CellSeen]:
    return [cell for cell in cells if cell.state is CellState.OPEN]


def _oldest(queued: Sequence[QueuedJob]) -> float:
    return queued[0].queued_at if queued else float("inf")


def _read_at(demand: DemandSeen, queued: Sequence[QueuedJob]) -> float:
    """When the oldest of the readings that show these jobs was begun."""
    shown_by = {job.repository for job in queued}
    return min((demand.repositories[name].at for name in shown_by), default=0.0)


def _unconfirmed(since: float, demand: DemandSeen) -> set[str]:
    """Repositories that have not been read again since the surplus began; quiet ones have said enough."""
    return {
        name for name, reading in demand.repositories.items() if not reading.quiet and reading.at <= since
    }
