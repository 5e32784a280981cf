"""Whatever is seen: pauses, schedules, budgets and what Cloud Run refuses stop growth, and never demand a lower."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from scaler.core.capacity import room
from scaler.core.decide import decide
from scaler.core.model import (
    Memory,
    Policy,
    Reason,
    Seen,
)
from scaler.core.schedule import policy_at
from tests.factories import NOW, a_cell, a_job, a_policy, a_pool, demand, seen
from tests.property.decision_facts import OFTEN, facts, memories, policies


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
    counts = {cell.name: cell.counted for cell in seen.cells if cell.pool in known.pools}
    more = sorted(rise.to - counts[rise.cell] for rise in decision.raises if rise.cell in counts)
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
@given(
    some.tuples(some.integers(-1, 1), some.integers(0, 6), some.sampled_from([20.0, 30.0, 40.0])),
    some.tuples(some.integers(-1, 1), some.integers(0, 6), some.sampled_from([25.0, 35.0])),
    some.integers(1, 10),
)
def test_max_instances_goes_to_the_higher_priority_and_among_equals_to_the_oldest_job(
    linux: tuple[int, int, float], gpu: tuple[int, int, float], most: int
) -> None:
    """For each pool its priority, how many jobs wait, and for how long. The other pool gets what is left."""
    given_to = {"linux": linux, "gpu": gpu}
    queued = [
        a_job(number=100 * (name == "gpu") + number, labels=[name], queued_at=NOW - waited)
        for name, (_, count, waited) in given_to.items()
        for number in range(1, count + 1)
    ]
    policy = a_policy(
        *(a_pool(name=name, labels=[name], priority=rank) for name, (rank, _, _) in given_to.items()),
        max_instances=most,
    )
    free = [a_cell(f"{name}-{size}", pool=name, size=size) for name in given_to for size in (1, 2, 4)]
    decision, _ = decide(policy, seen(*free, demand=demand(*queued)), Memory())
    got = {name: sum(rise.to for rise in decision.raises if rise.cell.startswith(name)) for name in given_to}
    waiting = [name for name in given_to if given_to[name][1]]
    left = most
    for name in sorted(waiting, key=lambda each: (-given_to[each][0], -given_to[each][2])):
        assert got[name] == min(left, given_to[name][1])
        left -= got[name]
