"""A pool whose leases meet the same obstacle again and again stops growing, says why, and tries one lease from time to time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.obstacles import Obstacle, ObstacleMet
from cell_records.record import CellState
from scaler.core.decide import decide
from scaler.core.held_back import BACK_OFF_SECONDS, IN_A_ROW, held_back
from scaler.core.model import CellSeen, Decision, LeaseState, Limit, Memory, PoolPolicy, Reason
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

TWO = (an_obstacle("lease-1", at=NOW - 30.0), an_obstacle("lease-2", at=NOW - 20.0, words="too old"))
DUE = NOW - 20.0 + BACK_OFF_SECONDS


def decided(
    *cells: CellSeen,
    at: float = NOW,
    queued: int = 3,
    pool: PoolPolicy | None = None,
    others: tuple[PoolPolicy, ...] = (),
    direct: bool = False,
) -> Decision:
    """The decision on so many queued jobs."""
    facts = seen(*cells, demand=demand(*jobs(queued), at=at), at=at)
    return decide(a_policy(pool or a_pool(), *others, direct=direct), facts, Memory())[0]


def served_by(decision: Decision) -> list[str]:
    """Which cells get leases or instances."""
    return [grant.cell for grant in decision.grants] + [rise.cell for rise in decision.raises]


def limits(decision: Decision) -> list[Limit]:
    """What the pool says of being held back."""
    reasons = (Reason.RUNNER_TOO_OLD, Reason.RUNNER_FAILS, Reason.REGISTRATION_REFUSED)
    return [limit for limit in decision.limits if limit.reason in reasons]


def test_after_two_such_leases_the_pool_neither_raises_nor_grants_and_says_what_to_do() -> None:
    """Its queue is told on, with the age of the oldest job."""
    made = decided(an_open_cell("a", count=2, parked=2, obstacles=TWO), a_cell("b"))
    assert (made.raises, made.grants) == ((), ())
    (limit,) = limits(made)
    assert (limit.reason, limit.short) == (Reason.RUNNER_TOO_OLD, 3)
    assert "new image" in limit.sentence
    assert "too old" in limit.detail
    (picture,) = made.pools
    assert (picture.queued, picture.uncovered, picture.oldest_queued_seconds) == (3, 3, 30.0)
    assert made.look_again_at <= DUE


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        (Obstacle.RUNNER_DEPRECATED, Reason.RUNNER_TOO_OLD),
        (Obstacle.RUNNER_FAILED, Reason.RUNNER_FAILS),
        (Obstacle.REGISTRATION_REFUSED, Reason.REGISTRATION_REFUSED),
    ],
)
def test_the_reason_is_the_last_obstacle(obstacle: Obstacle, reason: Reason) -> None:
    met = (TWO[0], replace(TWO[1], obstacle=obstacle))
    assert [limit.reason for limit in limits(decided(a_cell("a", obstacles=met)))] == [reason]


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([a_cell("a", obstacles=TWO[:1])], id="one is no row"),
        pytest.param([a_cell("a", obstacles=TWO, served_at=NOW - 10.0)], id="a job since"),
        pytest.param([a_cell("a", obstacles=TWO, served_at=NOW - 25.0)], id="a job in between"),
        pytest.param(
            [a_cell("a", obstacles=TWO), a_cell("b", served_at=NOW - 10.0)], id="a job in another cell"
        ),
        pytest.param(
            [
                a_cell("a", obstacles=TWO),
                an_open_cell("b", leases=[lease_seen(LeaseState.RUNNING, since=NOW - 5.0)]),
            ],
            id="a job runs since",
        ),
        pytest.param(
            [a_cell("a", obstacles=[replace(each, at=NOW + 60.0) for each in TWO])], id="not yet by our clock"
        ),
    ],
)
def test_a_job_that_was_had_or_a_single_obstacle_holds_nothing_back(cells: list[CellSeen]) -> None:
    assert held_back(cells, now=NOW) is None


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([a_cell("a", obstacles=TWO[:1]), a_cell("b", obstacles=TWO[1:])], id="met in two cells"),
        pytest.param([a_cell("a", obstacles=TWO, served_at=NOW - 5_000.0)], id="a job before"),
        pytest.param(
            [an_open_cell("a", obstacles=TWO, leases=[lease_seen(LeaseState.RUNNING, since=NOW - 600.0)])],
            id="a job that began before and runs on",
        ),
        pytest.param(
            [an_open_cell("a", obstacles=TWO, leases=[lease_seen(LeaseState.LISTENING, since=NOW - 5.0)])],
            id="a runner that listens has no job",
        ),
    ],
)
def test_obstacles_count_over_all_cells_of_the_pool_since_its_last_job(cells: list[CellSeen]) -> None:
    found = held_back(cells, now=NOW)
    assert found is not None
    assert (found.until, found.tries) == (DUE, False)


def test_when_the_time_has_come_one_lease_is_tried() -> None:
    """By one instance, however long the queue."""
    raising = decided(a_cell("a", size=4, obstacles=TWO), a_cell("b"), at=DUE)
    assert [rise.to for rise in raising.raises] == [1]
    granting = decided(an_open_cell("a", count=3, parked=3, obstacles=TWO), a_cell("b"), at=DUE)
    assert [grant.leases for grant in granting.grants] == [1]
    assert granting.raises == ()
    assert [limit.short for limit in limits(granting)] == [2]


@pytest.mark.parametrize("state", [LeaseState.STARTING, LeaseState.LISTENING, LeaseState.UNKNOWN])
def test_while_that_lease_is_out_no_second_one_is_given(state: LeaseState) -> None:
    trying = an_open_cell("a", count=3, parked=2, obstacles=TWO, leases=[lease_seen(state, since=DUE)])
    made = decided(trying, a_cell("b"), at=DUE + 20.0)
    assert (made.grants, made.raises) == ((), ())


def test_a_lease_that_is_tried_in_vain_begins_the_wait_anew() -> None:
    again = (*TWO, an_obstacle("lease-3", at=DUE + 5.0))
    made = decided(an_open_cell("a", parked=1, obstacles=again), at=DUE + 10.0)
    assert made.grants == ()
    assert made.look_again_at <= DUE + 5.0 + BACK_OFF_SECONDS


def test_a_lease_that_gets_a_job_opens_the_pool_at_once() -> None:
    """Not only once the job has ended."""
    running = lease_seen(LeaseState.RUNNING, since=DUE + 5.0)
    made = decided(an_open_cell("a", count=3, parked=2, obstacles=TWO, leases=[running]), at=DUE + 100.0)
    assert limits(made) == []
    assert sum(grant.leases for grant in made.grants) == 2


def test_min_and_warm_instances_stay_and_none_is_added() -> None:
    """Limits never demand a lower; but an instance of this image helps nobody."""
    pool = a_pool(minimum=2, warm=3)
    made = decided(an_open_cell("a", count=2, parked=2, obstacles=TWO), a_cell("b"), pool=pool, queued=0)
    assert (made.raises, made.closes, made.surplus) == ((), (), frozenset())
    (limit,) = limits(made)
    assert limit.short == 1
    tried = decided(a_cell("a", size=4, obstacles=TWO), pool=pool, at=DUE)
    assert [rise.to for rise in tried.raises] == [1]


def test_what_stands_without_use_is_closed_by_the_ordinary_rules() -> None:
    """A pool that gets no leases needs no instances; leases that stand are not touched."""
    empty = an_open_cell("a", count=2, parked=2, obstacles=TWO)
    busy = an_open_cell("b", leases=[lease_seen(LeaseState.LISTENING)])
    facts = seen(empty, busy, demand=demand(*jobs(3)))
    _, memory = decide(a_policy(), facts, Memory())
    later = replace(facts, at=NOW + 15.0, demand=demand(*jobs(3), at=NOW + 15.0))
    assert [close.cell for close in decide(a_policy(), later, memory)[0].closes] == ["a"]


@pytest.mark.parametrize("parked", [0, 1], ids=["by a raise", "by a grant"])
def test_the_lease_that_is_tried_goes_to_a_cell_that_has_not_failed(parked: int) -> None:
    """One cell may have another image than the rest; it must not keep the sound ones from being tried."""
    state = CellState.OPEN if parked else CellState.ZERO
    cells = [
        a_cell(name, state=state, requested=parked, observed=parked, parked=parked, obstacles=met)
        for name, met in (("a", TWO), ("b", ()))
    ]
    made = decided(*cells, at=DUE)
    assert served_by(made) == ["b"]
    served = [cells[0], replace(cells[1], served_at=NOW - 5.0)]
    ready = decided(*served, at=DUE, queued=1)
    assert served_by(ready) == ["b"], "nor first when the pool is well again"


def test_another_pool_goes_on() -> None:
    """Its image is another one."""
    gpu = a_pool(name="gpu", labels={"gpu"})
    made = decided(
        a_cell("a", pool="gpu", obstacles=TWO), a_cell("b", state=CellState.ZERO), others=(gpu,), queued=1
    )
    assert [rise.cell for rise in made.raises] == ["b"]


def test_in_direct_mode_no_lease_is_allowed_while_the_pool_is_held_back() -> None:
    """Instances ask the records, not the scaler."""
    cell = an_open_cell("a", count=2, obstacles=TWO)
    assert decided(cell, direct=True).allowed == {"a": 0}
    assert decided(cell, direct=True, at=DUE).allowed == {"a": 1}


def test_a_row_is_not_longer_than_a_record_remembers() -> None:
    from cell_records.obstacles import OBSTACLES_KEPT

    assert IN_A_ROW <= OBSTACLES_KEPT


def test_an_obstacle_that_two_processes_noted_apart_is_one_row() -> None:
    """The order is that of time, whichever cell it stands in."""
    met: list[ObstacleMet] = [an_obstacle(f"lease-{n}", at=NOW - n) for n in range(4)]
    found = held_back([a_cell("a", obstacles=met[2:]), a_cell("b", obstacles=met[:2])], now=NOW)
    assert found is not None
    assert found.until == NOW + BACK_OFF_SECONDS
