"""PURE: what every decision must satisfy. Property tests, `plan --check` and the tick itself ask this one
list.
"""

from __future__ import annotations

from collections.abc import Iterator

from cell_records.record import CellState
from scaler.core.capacity import may_try, room
from scaler.core.held_back import held_back
from scaler.core.model import Decision, LeaseState, Policy, Seen
from scaler.core.schedule import policy_at


def violations(policy: Policy, seen: Seen, decision: Decision) -> list[str]:
    """What is wrong with a decision, one sentence each; empty when nothing is."""
    policy = policy_at(policy, seen.at)
    found = [*_closes(seen, decision), *_raises(seen, decision), *_bounds(policy, seen, decision)]
    found.extend(_grants(seen, decision))
    found.extend(_held_back(policy, seen, decision))
    found.extend(_stopped(policy, seen, decision))
    found.extend(_capacity(seen, decision))
    if not decision.look_again_at > seen.at:
        found.append("the next look would not be later than this one")
    return found


def _closes(seen: Seen, decision: Decision) -> Iterator[str]:
    cells = {cell.name: cell for cell in seen.cells}
    for close in decision.closes:
        cell = cells[close.cell]
        if cell.state is not CellState.OPEN or cell.leases or cell.offered:
            yield f"{cell.name} would be closed, it is {cell.state.value} and has {len(cell.leases)} leases"
        if not seen.demand.complete and not cell.set_aside:
            yield f"{cell.name} would be closed though demand is not completely known"
    if {rise.cell for rise in decision.raises} & {close.cell for close in decision.closes}:
        yield "a cell would be raised and closed at once"
    if {grant.cell for grant in decision.grants} & {close.cell for close in decision.closes}:
        yield "a cell would be closed under the offers it gets"


def _raises(seen: Seen, decision: Decision) -> Iterator[str]:
    cells = {cell.name: cell for cell in seen.cells}
    for rise in decision.raises:
        cell = cells[rise.cell]
        if not cell.counted < rise.to <= cell.size:
            yield f"{cell.name} would be raised from {cell.counted} to {rise.to} at size {cell.size}"
        cooling = cell.state is CellState.ZERO and not cell.ready_at < seen.at
        if cell.state is CellState.CLOSING or cooling:
            yield f"{cell.name} would be raised though it is closing or cooling"
        if cell.set_aside:
            yield f"{cell.name} would be raised though it is held for {cell.set_aside}"
        if cell.fault is not None or not cell.writable:
            yield f"{cell.name} would be raised though it may not be touched now"


def _bounds(policy: Policy, seen: Seen, decision: Decision) -> Iterator[str]:
    after = {cell.name: cell.counted for cell in seen.cells}
    after.update({rise.cell: rise.to for rise in decision.raises})
    raised = {rise.cell for rise in decision.raises}
    for pool in policy.pools:
        of_pool = [cell.name for cell in seen.cells if cell.pool == pool.name]
        total = sum(after[name] for name in of_pool)
        if total > pool.max and raised.intersection(of_pool):
            yield f"pool {pool.name} would ask for {total} instances, its max is {pool.max}"
    counts = {cell.name: cell.counted for cell in seen.cells}
    writes = len(raised) + sum(counts[close.cell] > 0 for close in decision.closes)
    if len(raised) > max(0, seen.writes_left) or writes > max(len(raised), seen.shrink_writes_left):
        left = f"{seen.writes_left} are left for raises, {seen.shrink_writes_left} for all"
        yield f"{writes} writes would be made, {len(raised)} of them raises: {left}"
    total = sum(after.values())
    if raised and total > policy.max_instances:
        yield f"all pools would ask for {total} instances, max_instances is {policy.max_instances}"


def _grants(seen: Seen, decision: Decision) -> Iterator[str]:
    cells = {cell.name: cell for cell in seen.cells}
    granted = sum(grant.leases for grant in decision.grants)
    if granted > max(0, seen.registrations_left):
        yield f"{granted} registrations would be used, {seen.registrations_left} are left"
    for grant in decision.grants:
        cell = cells[grant.cell]
        if cell.state is not CellState.OPEN or grant.leases > cell.parked - cell.offered:
            yield f"{cell.name} would get {grant.leases} offers, it has {cell.parked} parked instances"
        if cell.set_aside:
            yield f"{cell.name} would get offers though it is held for {cell.set_aside}"


def _held_back(policy: Policy, seen: Seen, decision: Decision) -> Iterator[str]:
    for pool in policy.pools:
        cells = {cell.name: cell for cell in seen.cells if cell.pool == pool.name}
        held = held_back(cells.values(), now=seen.at, back_off_seconds=pool.back_off_seconds)
        if held is None:
            continue
        leases = sum(grant.leases for grant in decision.grants if grant.cell in cells)
        more = sum(rise.to - cells[rise.cell].counted for rise in decision.raises if rise.cell in cells)
        if max(leases, more) > held.tries:
            yield f"pool {pool.name} would get {leases} leases and {more} instances: {held.reason.value}"


def _stopped(policy: Policy, seen: Seen, decision: Decision) -> Iterator[str]:
    """Pause and max stop raises and grants."""
    over = (LeaseState.COMPLETED, LeaseState.DYING, LeaseState.SILENT)
    for pool in policy.pools:
        cells = {cell.name: cell for cell in seen.cells if cell.pool == pool.name}
        leases = sum(grant.leases for grant in decision.grants if grant.cell in cells)
        raised = sorted(cells.keys() & {rise.cell for rise in decision.raises})
        if pool.paused is not None and (leases or raised):
            yield f"pool {pool.name} would get {leases} leases and raises of {raised}: {pool.paused.value}"
        busy = sum(
            cell.offered + sum(lease.state not in over for lease in cell.leases) for cell in cells.values()
        )
        if leases and busy + leases > pool.max:
            yield f"pool {pool.name} would have {busy + leases} leases, its max is {pool.max}"


def _capacity(seen: Seen, decision: Decision) -> Iterator[str]:
    """Above what Cloud Run has refused one cell of the refused pools is tried, when its time has come."""
    left = room(decision.capacity, seen.cells)
    counts = {cell.name: cell.counted for cell in seen.cells if cell.pool in decision.capacity.pools}
    more = [rise.to - counts[rise.cell] for rise in decision.raises if rise.cell in counts]
    if left is None or sum(more) <= left:
        return
    if not may_try(decision.capacity, now=seen.at):
        yield f"{sum(more)} instances would be asked for, Cloud Run allows {left} more, and the next try is not due"
    elif sum(more) - max(more) > left:
        yield f"{sum(more)} instances would be asked for in {len(more)} cells, and Cloud Run allows {left} more"
