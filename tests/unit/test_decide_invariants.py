"""What must hold of every decision: each kind of broken one is caught, with a sentence that names it."""

from __future__ import annotations

import pytest

from cell_records.record import CellState
from scaler.core.invariants import violations
from scaler.core.model import CellSeen, Close, Decision, Grant, Raise, Reason
from tests.factories import NOW, a_cell, a_policy, a_pool, an_open_cell, demand, lease_seen, seen

CLOSING = CellState.CLOSING
POLICY = a_policy(a_pool(maximum=3), max_instances=4)


def closing(cell: str) -> Decision:
    """A decision that closes a cell."""
    return Decision(closes=(Close(cell=cell, reason=Reason.SURPLUS),), look_again_at=NOW + 1)


def raising(cell: str, to: int) -> Decision:
    """A decision that raises a cell."""
    return Decision(raises=(Raise(cell=cell, to=to, reason=Reason.QUEUED_JOBS),), look_again_at=NOW + 1)


def granting(cell: str, leases: int) -> Decision:
    """A decision that offers leases."""
    return Decision(
        grants=(Grant(cell=cell, leases=leases, reason=Reason.PARKED_CAN_TAKE),), look_again_at=NOW + 1
    )


@pytest.mark.parametrize(
    ("cell", "decision"),
    [
        pytest.param(an_open_cell("a", leases=[lease_seen()]), closing("a"), id="close over a lease"),
        pytest.param(
            a_cell("a", state=CellState.OPEN, parked=1, offered=1), closing("a"), id="close over an offer"
        ),
        pytest.param(a_cell("a"), closing("a"), id="close what is at zero"),
        pytest.param(an_open_cell("a", count=2), raising("a", 1), id="raise to less"),
        pytest.param(an_open_cell("a", count=1), raising("a", 1), id="raise to what is there"),
        pytest.param(a_cell("a", size=2), raising("a", 3), id="raise above the size"),
        pytest.param(a_cell("a", state=CLOSING), raising("a", 1), id="raise what is closing"),
        pytest.param(a_cell("a", ready_at=NOW), raising("a", 1), id="raise what is cooling"),
        pytest.param(a_cell("a", fault="broken"), raising("a", 1), id="raise what is at fault"),
        pytest.param(a_cell("a", writable=False), raising("a", 1), id="a second write in flight"),
        pytest.param(a_cell("a", size=9), raising("a", 4), id="above the pool's max"),
        pytest.param(an_open_cell("a", parked=1), granting("a", 2), id="more offers than parked"),
        pytest.param(a_cell("a", state=CLOSING, parked=1), granting("a", 1), id="offers in a closing cell"),
        pytest.param(
            an_open_cell("a", count=9, parked=9), granting("a", 6), id="more offers than registrations"
        ),
        pytest.param(a_cell("a"), Decision(look_again_at=NOW), id="no later look"),
    ],
)
def test_a_broken_decision_is_caught(cell: CellSeen, decision: Decision) -> None:
    """The list of sentences is not empty."""
    assert violations(POLICY, seen(cell, registrations_left=5), decision)


def test_closing_on_unknown_demand_is_caught() -> None:
    """Unknown is not zero."""
    facts = seen(an_open_cell("a"), demand=demand(complete=False))
    assert violations(POLICY, facts, closing("a")) == [
        "a would be closed though demand is not completely known"
    ]


def test_raising_and_closing_one_cell_at_once_is_caught() -> None:
    """So is closing under an offer."""
    facts = seen(an_open_cell("a", count=1, size=2, parked=1))
    for other in (raising("a", 2), granting("a", 1)):
        both = Decision(
            raises=other.raises, grants=other.grants, closes=closing("a").closes, look_again_at=NOW + 1
        )
        assert len(violations(POLICY, facts, both)) == 1


def test_the_sum_over_pools_is_bounded_too() -> None:
    """Each pool within its own max, together above the deployment's."""
    policy = a_policy(a_pool(name="x", maximum=3), a_pool(name="y", maximum=3), max_instances=4)
    facts = seen(a_cell("a", pool="x", size=3), a_cell("b", pool="y", size=3))
    both = Decision(raises=raising("a", 3).raises + raising("b", 3).raises, look_again_at=NOW + 1)
    assert violations(policy, facts, both) == ["all pools would ask for 6 instances, max_instances is 4"]


@pytest.mark.parametrize(
    ("cell", "decision"),
    [
        (an_open_cell("a"), closing("a")),
        (a_cell("a", size=2), raising("a", 2)),
        (an_open_cell("a", parked=1), granting("a", 1)),
        (an_open_cell("a", count=7), Decision(look_again_at=NOW + 1)),
    ],
    ids=[
        "close",
        "raise",
        "grant",
        "more than max by another hand is no fault of a decision that raises nothing",
    ],
)
def test_a_sound_decision_passes(cell: CellSeen, decision: Decision) -> None:
    """The list does not cry wolf."""
    assert violations(POLICY, seen(cell), decision) == []
