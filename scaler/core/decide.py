"""PURE: how many instances each pool should have, and what to do about it now.

`decide(policy, seen, memory)` gives a value; whoever performs it has nothing left to decide. Grow at once to
demand, each instance where the fewest stand; close what is surplus, after a linger and two readings that agree; never
touch a cell with a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaler.core import capacity, shrinking
from scaler.core.demand import queued_by_pool, started_jobs
from scaler.core.direct import allow
from scaler.core.granting import grant
from scaler.core.growing import grow
from scaler.core.model import Decision, Keep, Memory, Policy, QueuedJob, Reason, Seen
from scaler.core.need import need_of
from scaler.core.pacing import growth_writes
from scaler.core.picture import picture_of
from scaler.core.plan import Budget, Plan
from scaler.core.schedule import next_change, policy_at
from scaler.core.sharing import shared
from scaler.core.taken import covered_by_gone, seen_to_leave, shown_beside, taken_by_leases
from scaler.core.unservable import passed_over, without_unservable

# The longest a quiet deployment goes without a decision; every signal brings an earlier one.
LOOK_AGAIN_SECONDS = 30.0


def decide(policy: Policy, seen: Seen, memory: Memory) -> tuple[Decision, Memory]:
    """What to do now, with reasons, and what to remember. Pools with higher priority draw from shared limits
    first.
    """
    next_look = next_change(policy, after=seen.at, until=seen.at + LOOK_AGAIN_SECONDS)
    policy = policy_at(policy, seen.at)
    leases = [lease for cell in seen.cells for lease in cell.leases]
    taken = taken_by_leases(memory.taken, seen.cells, seen.demand, now=seen.at)
    started = started_jobs(seen.demand, leases, taken.values())
    queued = queued_by_pool(policy.pools, seen.demand, started)
    taken = seen_to_leave(taken, memory.shown, queued, started)
    passed = passed_over(queued, seen.cells, seen.demand, memory.passed, now=seen.at)
    plan = Plan(look_again_at=next_look)
    needs = []
    for pool in policy.pools:
        servable, left_out = without_unservable(pool.name, queued[pool.name], seen.cells, passed, now=seen.at)
        plan.limits.extend(left_out.limits)
        plan.look_again_at = min(plan.look_again_at, left_out.until)
        covered = covered_by_gone(taken, seen.cells, pool.name, servable, now=seen.at)
        plan.look_again_at = min(plan.look_again_at, covered.until)
        needs.append(need_of(pool, seen, servable, begun=covered.jobs))
    known = capacity.learnt(memory.capacity, seen.cells, now=seen.at)
    tries = int(capacity.may_try(known, now=seen.at))
    budget = Budget(
        capacity=capacity.room(known, seen.cells),
        tries=tries,
        instances=policy.max_instances - sum(cell.counted for cell in seen.cells),
        registrations=seen.registrations_left,
        writes=growth_writes(seen, grew_at=memory.grew_at),
        shrink_writes=seen.shrink_writes_left,
    )
    for need in sorted(
        needs, key=lambda each: (-each.policy.priority, _oldest(each.queued), each.policy.name)
    ):
        grant(need, seen, budget, plan, direct=policy.direct)
        grow(need, seen, budget, plan, known=known)
        shrinking.shrink(need, seen, memory, plan)
        if policy.direct:
            allow(need, plan)
        plan.pools.append(
            picture_of(
                need.policy,
                need.cells,
                need.queued,
                uncovered=need.uncovered,
                wanted=need.wanted(),
                now=seen.at,
            )
        )
    # After all growth, which goes first wherever writes are short.
    closes, turns = shared(
        plan.closable,
        pools={pool.name for pool in policy.pools},
        writes=budget.shrink_writes,
        turns=memory.turns,
        at=seen.at,
    )
    closing = {close.cell for close in closes}
    left = [
        Keep(cell=each.close.cell, reason=Reason.NO_SHRINK_WRITES)
        for each in plan.closable
        if each.close.cell not in closing
    ]
    if budget.tries < tries:
        known = replace(known, tried_at=seen.at)
    decision = Decision(
        grants=tuple(plan.grants),
        raises=tuple(plan.raises),
        closes=closes,
        kept=tuple(sorted((*plan.kept, *left), key=lambda each: each.cell)),
        limits=tuple(plan.limits),
        pools=tuple(sorted(plan.pools, key=lambda picture: picture.pool)),
        allowed=plan.allowed,
        surplus=frozenset(plan.surplus),
        confirm=frozenset(plan.confirm),
        capacity=known,
        look_again_at=plan.look_again_at,
    )
    return decision, Memory(
        surplus=plan.memory,
        passed=passed,
        turns=turns,
        capacity=known,
        taken=taken,
        shown=shown_beside(taken, queued),
        grew_at=seen.at if plan.raises else memory.grew_at,
    )


def _oldest(queued: Sequence[QueuedJob]) -> float:
    return queued[0].queued_at if queued else float("inf")
