"""The decision where Cloud Run refused to start instances: what is not coming is not counted on, and is tried again."""

from __future__ import annotations

from dataclasses import replace

from cell_records.record import CellState
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.model import CellSeen, Close, Decision, LeaseState, Limit, Memory, Reason, Seen
from tests.factories import a_cell, a_policy, a_pool, an_open_cell, demand, jobs, lease_seen, seen

REFUSED = "Quota violated: - CpuAllocPerProjectRegion requested: 4000 allowed: 0"


def refused(cell: CellSeen) -> CellSeen:
    """The cell as it shows after Cloud Run has given up."""
    return replace(cell, failed=REFUSED)


def decided(facts: Seen, *, maximum: int = 4) -> Decision:
    """The decision, which keeps what must always hold."""
    policy = a_policy(a_pool(maximum=maximum))
    decision, _ = decide(policy, facts, Memory())
    assert violations(policy, facts, decision) == []
    return decision


def test_instances_that_are_refused_are_not_waited_for() -> None:
    """Another cell is raised in their place, as far as the pool's max allows while the refused ones still count."""
    made = decided(seen(refused(an_open_cell("a", count=2)), a_cell("b", size=4), demand=demand(*jobs(3))))
    assert [(rise.cell, rise.to) for rise in made.raises] == [("b", 2)]
    assert Limit(pool="linux", reason=Reason.NO_CAPACITY, short=2, detail=REFUSED) in made.limits


def test_a_refused_cell_that_holds_nothing_is_emptied_so_that_it_can_be_tried_again() -> None:
    """At once: it serves nobody, and its count stands in the way of others."""
    made = decided(seen(refused(an_open_cell("a", count=2)), demand=demand(*jobs(3))))
    assert made.closes == (Close(cell="a", reason=Reason.COUNT_FAILED),)


def test_what_came_of_a_refused_cell_serves() -> None:
    """Its busy and its parked instances stay, and count for what they are."""
    busy = refused(an_open_cell("a", count=3, leases=[lease_seen(LeaseState.RUNNING)], parked=1))
    made = decided(seen(busy, a_cell("b", size=4), demand=demand(*jobs(2))), maximum=10)
    assert made.closes == ()
    assert [(rise.cell, rise.to) for rise in made.raises] == [("b", 1)]
    assert [(grant.cell, grant.leases) for grant in made.grants] == [("a", 1)]


def test_a_refused_cell_rests_before_it_is_emptied() -> None:
    """The rest after a refusal spaces the tries, so that a region without quota is not stormed."""
    resting = replace(refused(an_open_cell("a", count=2)), fault="refused a moment ago")
    assert decided(seen(resting, demand=demand(*jobs(3)))).closes == ()


def test_a_cell_at_zero_that_could_not_be_changed_is_not_opened() -> None:
    """Its template may be what is wrong; the limit says so."""
    broken = refused(a_cell("a", size=4, state=CellState.ZERO))
    made = decided(seen(broken, demand=demand(*jobs(1))))
    assert made.raises == ()
    assert [(limit.reason, limit.detail) for limit in made.limits] == [(Reason.NO_FREE_CELL, REFUSED)]


def test_a_refused_cell_is_not_closed_while_demand_is_unknown() -> None:
    """Nothing shrinks before GitHub has been read completely."""
    facts = seen(refused(an_open_cell("a", count=2)), demand=demand(*jobs(1), complete=False))
    assert decided(facts).closes == ()


def test_a_refused_cell_with_a_write_under_way_is_left_alone() -> None:
    """One write at a time for each cell; what that write makes of it is seen first."""
    writing = replace(refused(an_open_cell("a", count=2)), writable=False)
    assert decided(seen(writing, demand=demand(*jobs(3)))).closes == ()
