"""The decision, shrinking: a cell is closed when it is empty and surplus, after a linger and a second reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.record import CellState
from scaler.core.decide import decide
from scaler.core.model import Close, Decision, Memory, Policy, Reason, RepositoryReading, Seen
from tests.factories import (
    NOW,
    REPOSITORY,
    a_cell,
    a_policy,
    a_pool,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)

LATER = NOW + 15.0
AT_ONCE = a_policy(a_pool(linger_seconds=0.0))


def twice(facts: Seen, policy: Policy | None = None, *, read_again: bool = True) -> Decision:
    """The decision on the same facts a linger later, with a second reading of GitHub or without."""
    policy = policy or a_policy()
    _, memory = decide(policy, facts, Memory())
    again = replace(facts, at=LATER)
    if read_again:
        readings = {name: replace(reading, at=LATER) for name, reading in facts.demand.repositories.items()}
        again = replace(again, demand=replace(facts.demand, repositories=readings))
    return decide(policy, again, memory)[0]


def closed(decision: Decision) -> set[str]:
    """Which cells are closed."""
    return {close.cell for close in decision.closes}


def test_an_empty_surplus_cell_is_closed_after_its_linger() -> None:
    """With the reason."""
    facts = seen(an_open_cell("a", parked=1))
    first, _ = decide(a_policy(), facts, Memory())
    assert first.closes == ()
    assert first.look_again_at == NOW + 10.0
    assert twice(facts).closes == (Close(cell="a", reason=Reason.SURPLUS),)


def test_a_second_reading_that_may_not_show_all_jobs_yet_confirms_nothing() -> None:
    """A fresh run lists no jobs for a moment."""
    facts = seen(an_open_cell("a", parked=1))
    readings = {REPOSITORY: RepositoryReading(at=NOW, unsettled=True)}
    made = twice(replace(facts, demand=replace(facts.demand, repositories=readings)))
    assert made.closes == ()
    assert made.confirm == {REPOSITORY}


def test_one_reading_of_an_empty_queue_closes_nothing() -> None:
    """The repository whose second look is missing is named."""
    made = twice(seen(an_open_cell("a", parked=1)), read_again=False)
    assert made.closes == ()
    assert made.confirm == {REPOSITORY}


def test_a_repository_that_has_been_quiet_for_long_needs_no_second_look() -> None:
    """Sweeping hundreds of them twice would cost GitHub's limit."""
    facts = seen(an_open_cell("a", parked=1), demand=demand(quiet=True))
    assert closed(twice(facts, read_again=False)) == {"a"}


def test_incompletely_known_demand_closes_nothing() -> None:
    """Unknown is not zero, and the decision says so."""
    made = twice(seen(an_open_cell("a", parked=1), demand=demand(complete=False)))
    assert made.closes == ()
    assert Reason.DEMAND_UNKNOWN in {limit.reason for limit in made.limits}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(seen(an_open_cell("a", leases=[lease_seen()])), id="a lease"),
        pytest.param(seen(replace(an_open_cell("a", parked=1), offered=1)), id="an open offer"),
        pytest.param(seen(an_open_cell("a", parked=1), demand=demand(*jobs(1))), id="a queued job"),
        pytest.param(seen(replace(an_open_cell("a", parked=1), fault="broken")), id="a fault"),
        pytest.param(seen(replace(an_open_cell("a", parked=1), writable=False)), id="a write under way"),
        pytest.param(seen(a_cell("a", state=CellState.CLOSING, observed=1)), id="closing already"),
        pytest.param(seen(a_cell("a")), id="at zero"),
    ],
)
@pytest.mark.parametrize("policy", [a_policy(), AT_ONCE], ids=["linger", "no linger"])
def test_a_cell_stays_for(facts: Seen, policy: Policy) -> None:
    """Whatever the linger."""
    assert closed(twice(facts, policy)) == set()


@pytest.mark.parametrize(
    "policy", [a_policy(a_pool(minimum=1)), a_policy(a_pool(warm=1))], ids=["min", "warm"]
)
def test_the_admin_s_minimum_and_warm_instances_stay(policy: Policy) -> None:
    """Of two idle cells one is closed."""
    assert closed(twice(seen(an_open_cell("a"), an_open_cell("b")), policy)) == {"a"}


def test_a_cell_with_an_offer_in_this_very_decision_is_not_closed_by_it() -> None:
    """The job goes to one idle cell, the other one is surplus."""
    idle = seen(an_open_cell("a", parked=1), an_open_cell("b", parked=1))
    _, memory = decide(a_policy(), idle, Memory())
    made, _ = decide(a_policy(), replace(idle, at=LATER, demand=demand(*jobs(1), at=LATER)), memory)
    assert {grant.cell for grant in made.grants} == {"a"}
    assert closed(made) == {"b"}


def test_the_emptiest_instances_go_first_and_no_more_than_are_surplus() -> None:
    """A large cell that is needed in part stays whole: a lower is only ever to zero."""
    facts = seen(an_open_cell("a", count=4), an_open_cell("b", count=1), demand=demand(*jobs(2)))
    assert closed(twice(facts)) == {"b"}


def test_a_job_between_the_readings_begins_the_linger_anew() -> None:
    """What was surplus once must be so again for the whole linger."""
    idle, busy = seen(an_open_cell("a", parked=1)), seen(an_open_cell("a", parked=1), demand=demand(*jobs(1)))
    _, memory = decide(a_policy(), idle, Memory())
    _, memory = decide(a_policy(), replace(busy, at=NOW + 5), memory)
    made, memory = decide(a_policy(), replace(idle, at=LATER, demand=demand(at=LATER)), memory)
    assert made.closes == ()
    assert memory.surplus == {"a": LATER}


def test_without_a_linger_the_end_of_the_last_lease_may_close_a_cell() -> None:
    """The cell itself is not closed over its lease."""
    facts = seen(an_open_cell("a", leases=[lease_seen()]))
    made = twice(facts, AT_ONCE)
    assert made.closes == ()
    assert made.surplus == {"a"}
    assert twice(facts).surplus == frozenset()


def test_each_repository_must_have_been_read_again() -> None:
    """One busy reading elsewhere is not enough."""
    other = {"acme/other": RepositoryReading(at=NOW)}
    known = demand()
    both = replace(known, repositories={**known.repositories, **other})
    facts = seen(an_open_cell("a"), demand=both)
    _, memory = decide(a_policy(), facts, Memory())
    half_read = {**both.repositories, REPOSITORY: RepositoryReading(at=LATER)}
    made, _ = decide(
        a_policy(), replace(facts, at=LATER, demand=replace(both, repositories=half_read)), memory
    )
    assert made.confirm == {"acme/other"}
    assert made.closes == ()


@pytest.mark.parametrize(("writes", "closes"), [(0, 0), (2, 2), (9, 3)])
def test_no_more_cells_are_closed_than_the_minute_allows_writes(writes: int, closes: int) -> None:
    """The others follow as the budget comes back."""
    facts = replace(seen(*(an_open_cell(name, parked=1) for name in "abc")), shrink_writes_left=writes)
    assert len(closed(twice(facts))) == closes
