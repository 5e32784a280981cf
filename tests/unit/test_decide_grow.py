"""The decision, growing: what is granted and raised for which facts, and which limit is named when it is less."""

from __future__ import annotations

import pytest

from cell_records.record import CellState
from scaler.core.decide import LOOK_AGAIN_SECONDS, decide
from scaler.core.model import Decision, Grant, LeaseState, Limit, Memory, Policy, Raise, Reason, Seen
from tests.factories import (
    NOW,
    a_cell,
    a_job,
    a_policy,
    a_pool,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)

OPEN, ZERO, CLOSING = CellState.OPEN, CellState.ZERO, CellState.CLOSING
QUEUED, PARKED = Reason.QUEUED_JOBS, Reason.PARKED_CAN_TAKE


def decision(facts: Seen, policy: Policy | None = None) -> Decision:
    """The first decision of a scaler that has just started."""
    return decide(policy or a_policy(), facts, Memory())[0]


def raises(facts: Seen, policy: Policy | None = None) -> dict[str, int]:
    """Which cells are raised to how many."""
    return {rise.cell: rise.to for rise in decision(facts, policy).raises}


@pytest.mark.parametrize(
    ("facts", "grants", "raised"),
    [
        pytest.param(seen(a_cell("a")), {}, {}, id="nothing queued, nothing done"),
        pytest.param(seen(a_cell("a"), demand=demand(*jobs(1))), {}, {"a": 1}, id="a job opens a cell"),
        pytest.param(
            seen(a_cell("a", size=4), a_cell("b", size=1), demand=demand(*jobs(1))),
            {},
            {"b": 1},
            id="the smallest free cell first",
        ),
        pytest.param(
            seen(*(a_cell(name) for name in "abcde"), demand=demand(*jobs(5))),
            {},
            dict.fromkeys("abcde", 1),
            id="at once to demand",
        ),
        pytest.param(
            seen(
                *(a_cell(name) for name in "ab"),
                a_cell("big", size=4),
                demand=demand(*jobs(4)),
                writes_left=1,
            ),
            {},
            {"big": 4},
            id="few writes left: the cell with the most room",
        ),
        pytest.param(
            seen(an_open_cell("a", count=1, size=3), a_cell("b"), demand=demand(*jobs(2))),
            {},
            {"b": 1},
            id="a booting instance counts, and the next stands alone",
        ),
        pytest.param(
            seen(an_open_cell("a", parked=1), demand=demand(*jobs(1))),
            {"a": 1},
            {},
            id="a parked instance takes it",
        ),
        pytest.param(
            seen(an_open_cell("a", parked=1), a_cell("b"), demand=demand(*jobs(2))),
            {"a": 1},
            {"b": 1},
            id="one parked for two jobs",
        ),
        pytest.param(
            seen(
                an_open_cell("a", count=2, parked=2),
                an_open_cell("b", count=2, parked=1, leases=[lease_seen()]),
                demand=demand(*jobs(2)),
            ),
            {"b": 1, "a": 1},
            {},
            id="the cell that is in use is filled first",
        ),
        pytest.param(
            seen(an_open_cell("a", leases=[lease_seen(LeaseState.LISTENING)]), demand=demand(*jobs(1))),
            {},
            {},
            id="a listening runner covers a job",
        ),
        pytest.param(
            seen(an_open_cell("a", leases=[lease_seen(LeaseState.UNKNOWN)]), demand=demand(*jobs(1))),
            {},
            {},
            id="so does a lease nobody has spoken of since a restart",
        ),
        pytest.param(
            seen(
                an_open_cell("a", leases=[lease_seen(since=NOW - 30.0)]), a_cell("b"), demand=demand(*jobs(1))
            ),
            {},
            {},
            id="a job that began half a minute ago may still be listed as queued",
        ),
        pytest.param(
            seen(
                an_open_cell("a", leases=[lease_seen(since=NOW - 91.0)]), a_cell("b"), demand=demand(*jobs(1))
            ),
            {},
            {"b": 1},
            id="after the lists' lag a queued job is another one",
        ),
        pytest.param(
            seen(
                an_open_cell("a", leases=[lease_seen(since=NOW - 30.0, job_id=9)]),
                a_cell("b"),
                demand=demand(*jobs(1)),
            ),
            {},
            {"b": 1},
            id="a runner whose job is known covers no other",
        ),
        pytest.param(
            seen(an_open_cell("a", leases=[lease_seen(job_id=1)]), a_cell("b"), demand=demand(*jobs(1))),
            {},
            {},
            id="a job known to run is not queued, whatever the list says",
        ),
        pytest.param(
            seen(a_cell("a"), demand=demand(*jobs(2), running={7: 1, 8: 2})),
            {},
            {},
            id="nor is one that another list shows in progress",
        ),
        pytest.param(
            seen(
                an_open_cell("a", leases=[lease_seen(LeaseState.DYING)]), a_cell("b"), demand=demand(*jobs(1))
            ),
            {},
            {},
            id="the instance after a dying one takes the job",
        ),
        pytest.param(
            seen(a_cell("a", state=CLOSING, observed=1), a_cell("b"), demand=demand(*jobs(1))),
            {},
            {"b": 1},
            id="a closing cell serves nobody",
        ),
        pytest.param(
            seen(a_cell("a", ready_at=NOW + 5), a_cell("b", ready_at=NOW - 1), demand=demand(*jobs(1))),
            {},
            {"b": 1},
            id="a cooling cell is not opened",
        ),
        pytest.param(
            seen(
                a_cell("a", fault="broken"), a_cell("b", writable=False), a_cell("c"), demand=demand(*jobs(1))
            ),
            {},
            {"c": 1},
            id="nor one at fault or with a write under way",
        ),
    ],
)
def test_queued_jobs_are_covered(facts: Seen, grants: dict[str, int], raised: dict[str, int]) -> None:
    """One tick, from nothing remembered."""
    made = decision(facts)
    assert {grant.cell: grant.leases for grant in made.grants} == grants
    assert {rise.cell: rise.to for rise in made.raises} == raised
    assert {grant.reason for grant in made.grants} <= {PARKED}
    assert {rise.reason for rise in made.raises} <= {QUEUED}


@pytest.mark.parametrize(
    ("facts", "policy", "raised", "limit"),
    [
        pytest.param(
            seen(*(a_cell(name) for name in "abc"), demand=demand(*jobs(3))),
            a_policy(a_pool(maximum=2)),
            {"a": 1, "b": 1},
            Limit(pool="linux", reason=Reason.AT_POOL_MAX, short=1),
            id="the pool's max",
        ),
        pytest.param(
            seen(*(a_cell(name) for name in "abc"), demand=demand(*jobs(3))),
            a_policy(max_instances=1),
            {"a": 1},
            Limit(pool="linux", reason=Reason.AT_DEPLOYMENT_MAX, short=2),
            id="the deployment's max",
        ),
        pytest.param(
            seen(*(a_cell(name) for name in "abc"), demand=demand(*jobs(3)), writes_left=2),
            a_policy(),
            {"a": 1, "b": 1},
            Limit(pool="linux", reason=Reason.NO_WRITES_LEFT, short=1),
            id="the write budget",
        ),
        pytest.param(
            seen(a_cell("a"), a_cell("b", fault="no record"), demand=demand(*jobs(3))),
            a_policy(),
            {"a": 1},
            Limit(pool="linux", reason=Reason.NO_FREE_CELL, short=2, detail="no record"),
            id="no cell left, with the reason of those that cannot be used",
        ),
        pytest.param(
            seen(an_open_cell("a", count=3, parked=3), demand=demand(*jobs(3)), registrations_left=1),
            a_policy(),
            {},
            Limit(pool="linux", reason=Reason.NO_REGISTRATIONS_LEFT, short=2),
            id="the registration budget",
        ),
    ],
)
def test_what_is_not_possible_is_named(
    facts: Seen, policy: Policy, raised: dict[str, int], limit: Limit
) -> None:
    """An admin reads the reason, and how many instances it concerns."""
    made = decision(facts, policy)
    assert {rise.cell: rise.to for rise in made.raises} == raised
    assert limit in made.limits


def test_a_cell_still_closing_counts_against_the_max() -> None:
    """It is paid for until its zero is seen."""
    facts = seen(a_cell("a", state=CLOSING, observed=2, size=2), a_cell("b"), demand=demand(*jobs(1)))
    assert raises(facts, a_policy(a_pool(maximum=2))) == {}
    assert raises(facts, a_policy(a_pool(maximum=3))) == {"b": 1}


def test_what_was_asked_for_counts_before_it_is_seen() -> None:
    """Two ticks in a row do not raise twice."""
    facts = seen(a_cell("a", state=OPEN, requested=1), a_cell("b"), demand=demand(*jobs(1)))
    assert raises(facts) == {}


@pytest.mark.parametrize(
    ("policy", "reason"),
    [(a_policy(a_pool(minimum=2)), Reason.KEEP_MIN), (a_policy(a_pool(warm=2)), Reason.KEEP_WARM)],
)
def test_minimum_and_warm_instances_are_kept_without_any_job(policy: Policy, reason: Reason) -> None:
    """Each with its own reason."""
    made = decision(seen(a_cell("a"), a_cell("b")), policy)
    assert made.raises == (Raise(cell="a", to=1, reason=reason), Raise(cell="b", to=1, reason=reason))


def test_the_pool_of_higher_priority_draws_from_shared_limits_first() -> None:
    """Names decide nothing then."""
    policy = a_policy(
        a_pool(name="first", labels={"x"}), a_pool(name="second", labels={"y"}, priority=1), max_instances=1
    )
    facts = seen(
        a_cell("a", pool="first"),
        a_cell("b", pool="second"),
        demand=demand(a_job(number=1, labels={"x"}), a_job(number=2, labels={"y"})),
    )
    assert raises(facts, policy) == {"b": 1}


def test_between_equals_the_longest_queued_job_draws_first() -> None:
    """No pool starves another."""
    policy = a_policy(
        a_pool(name="first", labels={"x"}), a_pool(name="second", labels={"y"}), max_instances=1
    )
    facts = seen(
        a_cell("a", pool="first"),
        a_cell("b", pool="second"),
        demand=demand(
            a_job(number=1, labels={"x"}, queued_at=NOW - 10),
            a_job(number=2, labels={"y"}, queued_at=NOW - 20),
        ),
    )
    assert raises(facts, policy) == {"b": 1}


def test_the_next_look_comes_when_a_cooling_cell_is_ready() -> None:
    """Otherwise within half a minute."""
    waiting = decision(seen(a_cell("a", ready_at=NOW + 7), demand=demand(*jobs(1))))
    assert waiting.look_again_at == NOW + 7
    assert decision(seen()).look_again_at == NOW + LOOK_AGAIN_SECONDS


def test_in_direct_mode_cells_are_allowed_leases_instead_of_offers() -> None:
    """Instances read from the records how many they may take."""
    facts = seen(
        an_open_cell("a", count=2, parked=1, leases=[lease_seen()]), a_cell("b"), demand=demand(*jobs(2))
    )
    made = decision(facts, a_policy(direct=True))
    assert made.grants == ()
    assert made.allowed == {"a": 2, "b": 1}


def test_a_grant_and_a_raise_say_why() -> None:
    """No decision without its reason."""
    made = decision(seen(an_open_cell("a", parked=1), a_cell("b"), demand=demand(*jobs(2))))
    assert made.grants == (Grant(cell="a", leases=1, reason=PARKED),)
    assert made.raises == (Raise(cell="b", to=1, reason=QUEUED),)
