"""Held cells and canaries in a decision: a held cell gets nothing and is closed at once; a canary gets everything first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.record import CellState
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.model import CellSeen, Close, Decision, Grant, Keep, Memory, Raise, Reason
from scaler.core.sentences import sentences
from tests.factories import (
    NOW,
    a_cell,
    a_policy,
    a_pool,
    an_obstacle,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)

POLICY = a_policy(a_pool(maximum=20))


def decided(*cells: CellSeen, queued: int = 0, complete: bool = True, direct: bool = False) -> Decision:
    """One decision, which must break nothing that always holds."""
    policy = replace(POLICY, direct=direct)
    facts = seen(*cells, demand=demand(*jobs(queued), complete=complete))
    decision, _ = decide(policy, facts, Memory())
    assert violations(policy, facts, decision) == []
    return decision


def test_a_held_cell_is_neither_raised_nor_given_leases() -> None:
    """Others take its place, as if it were not there."""
    decision = decided(
        a_cell("a", size=4, hold="rollout"),
        an_open_cell("b", count=2, parked=2, hold="rollout"),
        a_cell("c", size=4),
        queued=3,
    )
    assert decision.grants == ()
    assert [(each.cell, each.to) for each in decision.raises] == [("c", 3)]


def test_what_a_held_cell_keeps_a_pool_short_of_is_told_with_its_cells() -> None:
    """An admin who waits for jobs must see that somebody holds them up."""
    facts = seen(a_cell("a", size=2, hold="rollout"), a_cell("b", size=1), demand=demand(*jobs(3)))
    decision, _ = decide(POLICY, facts, Memory())
    (limit,) = decision.limits
    assert (limit.reason, limit.short, limit.detail) == (Reason.CELLS_HELD, 2, "rollout: a")
    assert any(
        "cells of it are held for a change (rollout: a)" in each.sentence
        for each in sentences(facts, decision)
    )


@pytest.mark.parametrize("complete", [True, False])
def test_a_held_cell_without_leases_is_closed_at_once(complete: bool) -> None:
    """No linger, no second reading; nothing is concluded from the queue, so it need not be known."""
    cell = an_open_cell("a", count=2, parked=2, hold="drain")
    decision = decided(cell, queued=1, complete=complete)
    assert decision.closes == (Close(cell="a", reason=Reason.CELL_HELD),)
    told = [each.sentence for each in sentences(seen(cell, demand=demand(*jobs(1))), decision)]
    assert "close cell a: it is held for drain, and none of its 2 instances runs a job" in told


def test_a_held_cell_with_a_job_is_kept_to_its_end() -> None:
    """And says what it waits for."""
    cell = an_open_cell("a", count=2, parked=1, leases=[lease_seen()], hold="rollout")
    decision = decided(cell)
    assert decision.closes == ()
    assert decision.kept == (Keep(cell="a", reason=Reason.HELD_RUNS_JOBS),)
    (told,) = sentences(seen(cell), decision)
    assert (
        told.sentence
        == "keep cell a open: it is held for rollout, gets no new job, and waits for the 1 job in it"
    )


def test_the_free_instances_of_a_held_cell_are_no_capacity_and_its_busy_ones_cover_only_themselves() -> None:
    """Two jobs run there, one more is queued: one instance is raised elsewhere, not none and not three."""
    busy = [lease_seen(lease_id="l-1", job_id=101), lease_seen(lease_id="l-2", job_id=102)]
    decision = decided(
        an_open_cell("a", count=4, parked=2, leases=busy, hold="rollout"), a_cell("b", size=4), queued=1
    )
    assert [(each.cell, each.to) for each in decision.raises] == [("b", 1)]


def test_a_busy_cell_that_is_held_makes_no_other_cell_surplus_or_needed() -> None:
    """Its jobs neither ask for instances elsewhere nor pay for idle ones there."""
    busy = an_open_cell("a", count=2, parked=1, leases=[lease_seen()], hold="rollout")
    memory = Memory(surplus={"b": NOW - 1_000.0})
    decision, _ = decide(POLICY, seen(busy, an_open_cell("b", parked=1)), memory)
    assert decision.raises == ()
    assert decision.closes == (Close(cell="b", reason=Reason.SURPLUS),)


def test_a_closing_cell_that_is_held_is_left_to_close() -> None:
    """The hold asks nothing more of it."""
    assert decided(a_cell("a", state=CellState.CLOSING, requested=1, observed=1, hold="drain")).closes == ()


def test_a_canary_is_granted_and_raised_first() -> None:
    """Though others are fuller, emptier or earlier in the alphabet."""
    full = an_open_cell("a", count=2, parked=1, leases=[lease_seen()])
    canary = an_open_cell("b", count=1, parked=1, canary=True)
    decision = decided(full, canary, queued=1)
    assert [each.cell for each in decision.grants] == ["b"]
    decision = decided(a_cell("a", size=4), a_cell("b", size=4, canary=True), queued=1)
    assert [(each.cell, each.to) for each in decision.raises] == [("b", 1)]


def test_a_canary_that_fails_gets_nothing_more_and_is_emptied() -> None:
    """Also while nobody runs the rollout: a broken image must not take one job's place after another."""
    failing = an_open_cell("b", count=1, size=4, parked=1, canary=True, obstacles=[an_obstacle(at=NOW - 5.0)])
    decision = decided(an_open_cell("a", count=1, parked=1), failing, queued=3)
    assert [each.cell for each in decision.grants] == ["a"]
    assert decision.raises == ()
    assert decision.closes == (Close(cell="b", reason=Reason.CELL_HELD),)
    assert [limit.detail for limit in decision.limits] == ["a template that failed: b"]


def test_what_a_canary_meets_holds_no_other_cell_back() -> None:
    """Two leases that failed in a row hold a pool back for minutes; those of a new template say nothing of the old one."""
    met = [an_obstacle(f"l-{number}", at=NOW - 5.0 - number) for number in range(3)]
    decision = decided(
        an_open_cell("a", count=2, parked=2), a_cell("b", size=4, canary=True, obstacles=met), queued=2
    )
    assert [(each.cell, each.leases) for each in decision.grants] == [("a", 2)]


def test_a_job_in_a_canary_ends_what_holds_the_pool_back() -> None:
    """The old image was too old for GitHub, and the new one is not."""
    met = [an_obstacle(f"l-{number}", at=NOW - 50.0 - number) for number in range(3)]
    old = an_open_cell("a", count=2, parked=2, obstacles=met)
    assert decided(old, a_cell("b", canary=True), queued=2).grants == ()
    assert len(decided(old, a_cell("b", canary=True, served_at=NOW - 5.0), queued=2).grants) == 1


def test_in_direct_mode_a_held_cell_may_hold_no_more_leases() -> None:
    """Its instances read the number from the records."""
    decision = decided(
        an_open_cell("a", count=2, hold="drain"), an_open_cell("b", count=2), queued=4, direct=True
    )
    assert decision.allowed.get("a", 0) == 0
    assert decision.allowed["b"] == 2


@pytest.mark.parametrize(
    ("decision", "cell"),
    [
        (
            Decision(raises=(Raise(cell="a", to=1, reason=Reason.QUEUED_JOBS),), look_again_at=NOW + 1),
            a_cell("a", hold="rollout"),
        ),
        (
            Decision(
                grants=(Grant(cell="a", leases=1, reason=Reason.PARKED_CAN_TAKE),), look_again_at=NOW + 1
            ),
            an_open_cell("a", parked=1, hold="rollout"),
        ),
    ],
    ids=["raise", "grant"],
)
def test_a_decision_that_gives_a_held_cell_anything_breaks_what_must_always_hold(
    decision: Decision, cell: CellSeen
) -> None:
    """The record would refuse it; the list of invariants says so before."""
    (sentence,) = violations(POLICY, seen(cell), decision)
    assert "though it is held for rollout" in sentence
