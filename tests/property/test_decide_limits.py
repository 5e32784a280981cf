"""Whatever is seen: pauses, schedules, budgets and what Cloud Run refuses stop growth, and never demand a lower."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from hypothesis import given

from scaler.core.capacity import room
from scaler.core.decide import decide
from scaler.core.model import (
    Memory,
    Policy,
    Reason,
    Seen,
)
from scaler.core.schedule import policy_at
from tests.factories import NOW
from tests.property.decision_facts import OFTEN, facts, memories, policies

T = TypeVar("T")


@OFTEN
@given(policies(), facts(), memories)
def test_above_what_cloud_run_refused_at_most_one_cell_is_raised(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """And none while the last try or refusal is younger than its back-off."""
    decision, after = decide(policy, seen, memory)
    known = decision.capacity
    left = room(known, seen.cells)
    if left is None:
        return
    counts = {cell.name: cell.counted for cell in seen.cells}
    more = sorted(rise.to - counts[rise.cell] for rise in decision.raises)
    if sum(more) > left:
        assert sum(more[:-1]) <= left
        assert max(known.refused_at, known.tried_at) + 60.0 <= NOW or known.tried_at == NOW
        assert after.capacity.tried_at == NOW


@OFTEN
@given(policies(), facts(), memories)
def test_a_paused_deployment_closes_what_it_would_close_and_begins_nothing(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """A pause never asks for a lower of its own: every cell that it closes holds no lease and no offer."""
    paused = replace(policy, pools=tuple(replace(pool, paused=Reason.POOL_PAUSED) for pool in policy.pools))
    decision, _ = decide(paused, seen, memory)
    assert (decision.grants, decision.raises) == ((), ())
    busy = {cell.name for cell in seen.cells if cell.leases or cell.offered}
    assert not busy & {close.cell for close in decision.closes}


@OFTEN
@given(policies(), facts(), memories)
def test_the_next_look_is_not_later_than_the_next_change_of_a_schedule(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """What holds at the moment before the next look is what was decided on."""
    decision, _ = decide(policy, seen, memory)
    assert policy_at(policy, min(decision.look_again_at, NOW + 30.0) - 0.001) == policy_at(policy, NOW)


@OFTEN
@given(policies(), facts(), memories)
def test_a_pool_that_max_instances_stops_leaves_nothing_to_pools_of_lower_priority(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """Unless something else stops it too: then what it cannot use is theirs."""
    decision, _ = decide(policy, seen, memory)
    priority = {pool.name: pool.priority for pool in policy.pools}
    otherwise = {Reason.NO_FREE_CELL, Reason.NO_WRITES_LEFT, Reason.CAPACITY_LEARNT}
    elsewhere = {limit.pool for limit in decision.limits if limit.reason in otherwise}
    stopped = {
        limit.pool for limit in decision.limits if limit.reason is Reason.AT_DEPLOYMENT_MAX
    } - elsewhere
    grown = {cell.pool for cell in seen.cells if cell.name in {rise.cell for rise in decision.raises}}
    assert all(priority[pool] >= priority[first] for first in stopped for pool in grown)
