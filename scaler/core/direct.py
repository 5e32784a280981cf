"""PURE: direct mode, where no offers are made: how many leases each cell may hold at once."""

from __future__ import annotations

from scaler.core.need import Need
from scaler.core.plan import Plan


def allow(need: Need, plan: Plan) -> None:
    """Direct mode: how many leases each cell may hold at once; the needed cells first, so that others drain.

    A cell without a job to hope for gets 0: a lease that ends there is not followed by another.
    """
    asked = {rise.cell: rise.to for rise in plan.raises}
    serving = {
        cell.name: asked.get(cell.name, cell.counted)
        for cell in sorted(
            need.cells, key=lambda each: (each.name in plan.memory, not each.leases, each.size, each.name)
        )
        if cell.serves or cell.name in asked
    }
    leases = {cell.name: len(cell.leases) for cell in need.cells}
    silent = {cell.name: len(cell.leases) - cell.held for cell in need.cells}
    short, room = need.to_serve, need.room
    for cell, count in serving.items():
        more = min(short, room, max(0, count + silent[cell] - leases[cell]))
        plan.allowed[cell] = leases[cell] + more if more else 0
        short, room = short - more, room - more
    if short > 0:
        # More jobs wait than instances are free, so each instance that comes free goes on, as far as max allows.
        room = need.policy.max
        for cell, count in serving.items():
            serves = min(count, room)
            plan.allowed[cell] = serves + silent[cell] if serves else 0
            room -= serves
