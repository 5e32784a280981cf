"""PURE: which parked instances are offered a lease now."""

from __future__ import annotations

from scaler.core.model import Grant, Limit, Reason, Seen
from scaler.core.need import Need, open_cells
from scaler.core.plan import Budget, Plan

# How soon parked instances are looked at again that wait for registrations: a minute brings 150 of them.
REGISTRATIONS_AGAIN_SECONDS = 1.0


def grant(need: Need, seen: Seen, budget: Budget, plan: Plan, *, direct: bool) -> None:
    """Offer leases to parked instances, in the fullest cells first so that the emptiest drain.

    A canary comes first, and cells whose last lease had no job for its image come last: with a rollout under way others may be
    sound.
    """
    short = 0 if direct else need.may_lease
    if short <= 0:
        return
    withheld = 0
    for cell in sorted(
        open_cells(need.cells), key=lambda each: (each.rank, -len(each.leases), -each.counted, each.name)
    ):
        ready = min(short, cell.parked - cell.offered, max(0, cell.counted - cell.held - cell.offered))
        leases = min(ready, budget.registrations)
        withheld += ready - leases
        if leases > 0:
            plan.grants.append(Grant(cell=cell.name, leases=leases, reason=Reason.PARKED_CAN_TAKE))
            budget.registrations -= leases
            short -= leases
    withheld = min(withheld, short)
    if withheld > 0:
        plan.limits.append(Limit(pool=need.policy.name, reason=Reason.NO_REGISTRATIONS_LEFT, short=withheld))
        # They come back one after another, and nothing tells of it.
        plan.look_again_at = min(plan.look_again_at, seen.at + REGISTRATIONS_AGAIN_SECONDS)
