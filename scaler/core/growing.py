"""PURE: which cells are raised, and what stops the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from cell_records.record import CellState
from scaler.core import capacity
from scaler.core.failed import limits_of_failed
from scaler.core.model import Capacity, CellSeen, Limit, Raise, Reason, Seen
from scaler.core.need import Need, open_cells, standing
from scaler.core.plan import Budget, Plan


def grow(need: Need, seen: Seen, budget: Budget, plan: Plan, *, known: Capacity) -> None:
    """Raise cells until the pool has what it wants or a bound says stop. `known`: what Cloud Run has refused."""
    pool = need.policy
    short = need.needed() - standing(need.cells)
    if pool.paused is not None:
        left = max(0, short) + need.uncovered
        plan.limits.extend([Limit(pool=pool.name, reason=pool.paused, short=left)] if left else [])
        return
    short = _held_back(need, short, plan)
    plan.limits.extend(_left_by_max(need, short))
    if short <= 0:
        return
    plan.limits.extend(limits_of_failed(pool.name, need.cells))
    room = pool.max - sum(cell.counted for cell in need.cells)
    # What the pool's max leaves is told above.
    short = min(short, max(0, room))
    if short > max(0, budget.instances):
        left = short - max(0, budget.instances)
        plan.limits.append(Limit(pool=pool.name, reason=Reason.AT_DEPLOYMENT_MAX, short=left))
        short -= left
    reason = _growth_reason(need)
    growable = sum(_may_grow(cell, now=seen.at) for cell in need.cells)
    largest = max(
        (cell.size - cell.counted for cell in need.cells if _may_grow(cell, now=seen.at)), default=0
    )
    writes = budget.writes.for_cells(short=short, room=largest)
    for cell, most in _spread(need.cells, short=short, writes=writes, now=seen.at):
        more = min(short, most)
        if pool.name in known.pools:
            more = budget.within_capacity(more)
        if more <= 0:
            limit = Limit(
                pool=pool.name, reason=Reason.CAPACITY_LEARNT, short=short, detail=capacity.words(known)
            )
            plan.limits.append(limit)
            plan.look_again_at = min(plan.look_again_at, max(capacity.next_try_at(known), seen.at + 1.0))
            return
        plan.raises.append(
            Raise(
                cell=cell.name,
                to=cell.counted + more,
                reason=reason,
                packed=more > 1 and growable > writes,
            )
        )
        budget.writes.left -= 1
        budget.shrink_writes -= 1
        budget.instances -= more
        short -= more
    if short > 0 and budget.writes.left <= 0 and growable > len(plan.raises):
        paced = Reason.NO_WRITES_LEFT if seen.writes_left <= len(plan.raises) else Reason.WRITES_PACED
        plan.limits.append(Limit(pool=pool.name, reason=paced, short=short))
        plan.look_again_at = min(plan.look_again_at, budget.writes.again_at)
    elif short > 0:
        wrong = {cell.fault or cell.failed for cell in need.cells}
        faults = "; ".join(sorted(each for each in wrong if each is not None))
        holds = _holds(need.cells)
        reason = Reason.CELLS_HELD if holds else Reason.NO_FREE_CELL
        detail = "; ".join(each for each in (holds, faults) if each)
        plan.limits.append(Limit(pool=pool.name, reason=reason, short=short, detail=detail))
        cooling = [
            cell.ready_at for cell in need.cells if cell.state is CellState.ZERO and cell.ready_at > seen.at
        ]
        plan.look_again_at = min([plan.look_again_at, *cooling])


def _left_by_max(need: Need, short: int) -> Iterator[Limit]:
    """What the pool's max in force forbids: instances, and leases for instances that are already there."""
    pool = need.policy
    room = pool.max - sum(cell.counted for cell in need.cells)
    free = sum(max(0, cell.expected - cell.held - cell.offered) for cell in open_cells(need.cells))
    withheld = min(need.to_serve, free) - min(need.may_lease, free)
    left = max(0, short - max(0, room)) + withheld
    if left > 0:
        reason = Reason.AT_POOL_MAX if pool.max else Reason.SCHEDULE_ALLOWS_NONE
        yield Limit(pool=pool.name, reason=reason, short=left, detail=pool.rule and f"schedule {pool.rule}")


def _held_back(need: Need, short: int, plan: Plan) -> int:
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


def _spread(cells: Sequence[CellSeen], *, short: int, writes: int, now: float) -> list[tuple[CellSeen, int]]:
    """The cells to raise, in order, and by how many instances each.

    A cell can be emptied once the last of its jobs is over, so the fewer instances stand together the less they wait for one
    another: each instance goes where the fewest are, in as many cells as the writes allow.
    """
    rooms = sorted(
        (cell for cell in cells if _may_grow(cell, now=now)),
        key=lambda cell: (cell.rank, cell.counted, cell.size, cell.name),
    )
    if sum(cell.size - cell.counted for cell in rooms[: max(0, writes)]) < short:
        # Too few writes for all: the cells with the most room.
        rooms.sort(key=lambda cell: (cell.rank, cell.counted - cell.size, cell.name))
    rooms = rooms[: max(0, writes)]
    filled = [(cell.rank, cell.counted, number) for number, cell in enumerate(rooms)]
    heapify(filled)
    more = [0] * len(rooms)
    for _ in range(short):
        if not filled:
            break
        rank, count, number = heappop(filled)
        more[number] += 1
        if count + 1 < rooms[number].size:
            heappush(filled, (rank, count + 1, number))
    return [(cell, each) for cell, each in zip(rooms, more, strict=True) if each]


def _may_grow(cell: CellSeen, *, now: float) -> bool:
    if not cell.writable or cell.fault is not None or cell.failed is not None or cell.counted >= cell.size:
        return False
    if cell.set_aside:
        return False
    return cell.state is CellState.OPEN or (cell.state is CellState.ZERO and cell.ready_at < now)


def _holds(cells: Sequence[CellSeen]) -> str:
    """`rollout: a, b`: which cells of a pool are held, and for what."""
    names: dict[str, list[str]] = {}
    for cell in cells:
        if cell.set_aside:
            names.setdefault(cell.set_aside, []).append(cell.name)
    return "; ".join(f"{why}: {', '.join(sorted(held))}" for why, held in sorted(names.items()))


def _growth_reason(need: Need) -> Reason:
    if need.to_serve:
        return Reason.QUEUED_JOBS
    return Reason.KEEP_WARM if need.busy + need.policy.warm > need.policy.min else Reason.KEEP_MIN
