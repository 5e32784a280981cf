"""Decisions on any facts: they keep every invariant, depend on nothing but their arguments, and come to rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as some

from cell_records.record import CellState
from scaler.core.decide import decide
from scaler.core.demand import LISTS_LAG_SECONDS
from scaler.core.invariants import violations
from scaler.core.memory_text import memory_in, memory_text
from scaler.core.model import (
    CellSeen,
    Decision,
    DemandSeen,
    LeaseSeen,
    LeaseState,
    Memory,
    Policy,
    QueuedJob,
    RepositoryReading,
    Seen,
)
from scaler.core.schedule import policy_at
from tests.factories import NOW
from tests.property.decision_facts import LABELS, OFTEN, facts, memories, policies, pools

T = TypeVar("T")


@OFTEN
@given(policies(), facts(), memories)
def test_a_decision_never_breaks_an_invariant_and_never_raises(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """Whatever is seen, also nonsense that another hand has made."""
    decision, _ = decide(policy, seen, memory)
    assert violations(policy, seen, decision) == []


@OFTEN
@given(policies(), facts(), memories, some.randoms(use_true_random=False))
def test_the_order_of_anything_seen_decides_nothing(
    policy: Policy, seen: Seen, memory: Memory, chance: Random
) -> None:
    """Cells, repositories, jobs, leases and pools in any order: the same decision and the same memory."""

    def shuffled(things: Iterable[T]) -> tuple[T, ...]:
        mixed = list(things)
        chance.shuffle(mixed)
        return tuple(mixed)

    readings = {
        name: replace(reading, queued=shuffled(reading.queued))
        for name, reading in shuffled(seen.demand.repositories.items())
    }
    mixed = replace(
        seen,
        cells=shuffled(tuple(replace(cell, leases=shuffled(cell.leases)) for cell in seen.cells)),
        demand=replace(seen.demand, repositories=readings),
    )
    mixed_policy = replace(policy, pools=shuffled(policy.pools))
    assert decide(mixed_policy, mixed, memory) == decide(policy, seen, memory)


@OFTEN
@given(policies(), facts(), memories)
def test_the_same_facts_give_the_same_decision_again(policy: Policy, seen: Seen, memory: Memory) -> None:
    """Also with the memory that the first decision left: looking twice at one moment changes nothing."""
    first, after = decide(policy, seen, memory)
    assert decide(policy, seen, memory) == (first, after)
    assert decide(policy, seen, after) == (first, after)


@OFTEN
@given(policies(), facts(), memories)
def test_wanted_lies_within_the_bounds_of_its_pool(policy: Policy, seen: Seen, memory: Memory) -> None:
    """And every pool has its picture."""
    decision, _ = decide(policy, seen, memory)
    bounds = {pool.name: (pool.min, pool.max) for pool in policy_at(policy, NOW).pools}
    assert [picture.pool for picture in decision.pools] == sorted(bounds)
    for picture in decision.pools:
        least, most = bounds[picture.pool]
        assert least <= picture.wanted <= most
        assert 0 <= picture.uncovered <= picture.queued


@OFTEN
@given(policies(), facts(), memories)
def test_incompletely_known_demand_closes_nothing(policy: Policy, seen: Seen, memory: Memory) -> None:
    """Nor lets the end of a lease close anything. What an admin holds is closed without asking the queue."""
    unknown = replace(seen, demand=replace(seen.demand, complete=False))
    decision, _ = decide(policy, unknown, memory)
    holds = {cell.name: cell.set_aside for cell in seen.cells}
    assert [close for close in decision.closes if not holds[close.cell]] == []
    assert decision.surplus == frozenset()


def carried_out(seen: Seen, decision: Decision, *, later: float) -> Seen:
    """The facts after a perfect world has done at once what was decided; jobs that got a lease never end."""
    raised = {rise.cell: rise.to for rise in decision.raises}
    granted = {grant.cell: grant.leases for grant in decision.grants}
    closed = {close.cell for close in decision.closes}
    after = []
    for cell in seen.cells:
        count = raised.get(cell.name, cell.requested)
        new = tuple(
            LeaseSeen(id=f"{cell.name}-{later}-{number}", state=LeaseState.LISTENING, since=later)
            for number in range(granted.get(cell.name, 0))
        )
        leases = cell.leases + new
        if cell.name in closed:
            after.append(
                replace(cell, state=CellState.ZERO, requested=0, observed=0, parked=0, ready_at=later + 1e6)
            )
            continue
        after.append(
            replace(
                cell,
                state=CellState.OPEN if cell.name in raised else cell.state,
                requested=count,
                observed=count,
                leases=leases,
                parked=max(0, count - len(leases)),
            )
        )
    readings = {name: replace(reading, at=later) for name, reading in seen.demand.repositories.items()}
    return replace(
        seen,
        at=later,
        cells=tuple(after),
        demand=replace(seen.demand, repositories=readings),
        writes_left=30,
        registrations_left=30,
    )


@some.composite
def fair_worlds(draw: some.DrawFn) -> tuple[Policy, Seen]:
    """One pool, sound cells that are open and settled or free, a queue that is known, and room in every budget."""
    pool = replace(draw(pools("linux")), labels=frozenset(LABELS), schedule=(), paused=None)
    states = draw(some.lists(some.tuples(some.booleans(), some.integers(1, 4)), min_size=1, max_size=6))
    found = [
        CellSeen(
            name=f"cell-{number}",
            pool="linux",
            size=size,
            state=CellState.OPEN if is_open else CellState.ZERO,
            requested=size if is_open else 0,
            observed=size if is_open else 0,
            parked=size if is_open else 0,
        )
        for number, (is_open, size) in enumerate(states)
    ]
    queued = tuple(
        QueuedJob(id=number, repository="acme/a", labels=frozenset({"linux"}), queued_at=NOW - 5)
        for number in range(1, draw(some.integers(0, 15)) + 1)
    )
    known = DemandSeen(repositories={"acme/a": RepositoryReading(at=NOW, queued=queued)}, complete=True)
    seen = Seen(at=NOW, demand=known, cells=tuple(found), registrations_left=30, writes_left=30)
    return Policy(pools=(pool,), max_instances=100, settle_seconds=80.0), seen


@OFTEN
@given(fair_worlds())
def test_ticks_in_a_world_that_obeys_come_to_rest_with_every_job_served_that_can_be(
    world: tuple[Policy, Seen],
) -> None:
    """No raise is taken back by a close that is taken back by a raise; and demand is met as far as cells and max allow."""
    policy, seen = world
    memory, quiet = Memory(), 0
    for _ in range(12):
        decision, memory = decide(policy, seen, memory)
        idle = not (decision.grants or decision.raises or decision.closes)
        quiet = quiet + 1 if idle else 0
        seen = carried_out(seen, decision, later=seen.at + 20.0)
    assert quiet >= 3, decision
    pool = policy.pools[0]
    leased = sum(len(cell.leases) for cell in seen.cells)
    standing = sum(cell.requested for cell in seen.cells)
    room = sum(cell.size for cell in world[1].cells)
    jobs = len(seen.demand.repositories["acme/a"].queued)
    open_before = sum(cell.requested for cell in world[1].cells)
    # An open cell is not made smaller, so a pool that starts above its max stays there and may serve with all of it.
    assert min(jobs, room, max(pool.max, 0)) <= leased <= min(jobs, max(pool.max, open_before))
    assert standing >= min(room, pool.max, max(pool.min, jobs + pool.warm))


@OFTEN
@given(policies(), facts(), memories)
def test_what_leases_had_begun_hides_one_job_each_for_no_longer_than_lists_lag(
    policy: Policy, seen: Seen, memory: Memory
) -> None:
    """Whether or not it is known which job; and what is so old changes nothing."""
    without, _ = decide(policy, seen, replace(memory, taken={}))
    fresh = {
        lease: taken for lease, taken in memory.taken.items() if NOW - LISTS_LAG_SECONDS < taken.at <= NOW
    }
    decision, after = decide(policy, seen, memory)
    gone = set(fresh) - {lease.id for cell in seen.cells for lease in cell.leases}
    assert gone <= set(after.taken)
    if not fresh:
        assert (decision.grants, decision.raises) == (without.grants, without.raises)
    for each, before in zip(decision.pools, without.pools, strict=True):
        assert before.queued - len(fresh) <= each.queued <= before.queued
        assert before.uncovered - len(fresh) <= each.uncovered <= before.uncovered


@OFTEN
@given(policies(), facts(), memories)
def test_any_memory_survives_as_text(policy: Policy, seen: Seen, memory: Memory) -> None:
    """`once` keeps it in the record of the deployment."""
    _, after = decide(policy, seen, memory)
    assert memory_in(memory_text(after)) == after
