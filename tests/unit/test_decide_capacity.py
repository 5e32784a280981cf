"""What Cloud Run has refused to a pool is remembered, tried more and more rarely, and forgotten with time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.record import CellState
from scaler.core.capacity import FORGOTTEN_AFTER_SECONDS, back_off_seconds, learnt
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.memory_text import memory_in, memory_text
from scaler.core.model import Capacity, CellSeen, Decision, LeaseState, Limit, Memory, Raise, Reason
from tests.factories import NOW, a_cell, a_job, a_policy, a_pool, an_open_cell, demand, jobs, lease_seen, seen

LEARNT = Capacity(limit=3, refused_at=NOW - 10.0, pools=frozenset({"linux"}))
BUSY = [lease_seen(LeaseState.RUNNING, lease_id=f"lease-{n}", job_id=100 + n) for n in range(3)]


def serving(name: str = "s") -> CellSeen:
    """A cell whose three instances all run jobs."""
    return an_open_cell(name, count=3, leases=BUSY)


def refused(name: str, *, at: float, count: int = 4) -> CellSeen:
    """A cell that was raised, of which nothing came."""
    return replace(an_open_cell(name, count=count), refused_at=at, failed="allowed: 0", fault="it rests")


def decided(*cells: CellSeen, at: float = NOW, known: Capacity = LEARNT) -> tuple[Decision, Memory]:
    """The decision with nine jobs in the queue; it keeps what must always hold, and its memory survives being stored."""
    policy = a_policy(a_pool(maximum=50))
    facts = seen(*cells, demand=demand(*jobs(9), at=at), at=at)
    decision, memory = decide(policy, facts, Memory(capacity=known))
    assert violations(policy, facts, decision) == []
    assert memory_in(memory_text(memory)) == memory
    return decision, memory


def test_a_refusal_limits_its_pool_to_what_was_surely_there() -> None:
    """No other cell is stormed: not the refused four count, but the three that run."""
    made, memory = decided(serving(), refused("a", at=NOW - 5.0), a_cell("b", size=4), known=Capacity())
    assert made.raises == ()
    assert memory.capacity == Capacity(limit=3, refused_at=NOW - 5.0, pools=frozenset({"linux"}))
    assert (
        Limit(
            pool="linux",
            reason=Reason.CAPACITY_LEARNT,
            short=9,
            detail="Cloud Run refused more than 3 instances at 13:46 UTC; one try every minute",
        )
        in made.limits
    )
    assert made.look_again_at <= NOW + 30.0


def test_another_pool_grows_until_it_is_refused_itself() -> None:
    """What one size of machine finds no room for may have room for another."""
    policy = a_policy(a_pool(maximum=50), a_pool(name="small", labels=("small",), maximum=50))
    queue = demand(*jobs(9), *(a_job(number=50 + number, labels=("small",)) for number in range(5)))
    small = [a_cell(name, size=4, pool="small") for name in ("t", "u")]
    facts = seen(serving(), refused("a", at=NOW - 5.0), a_cell("b", size=4), *small, demand=queue)
    made, memory = decide(policy, facts, Memory())
    assert violations(policy, facts, made) == []
    assert sorted(rise.cell for rise in made.raises) == ["t", "u"]
    assert [limit.pool for limit in made.limits if limit.reason is Reason.CAPACITY_LEARNT] == ["linux"]

    then = replace(
        facts,
        cells=(*facts.cells[:3], replace(refused("t", at=NOW + 3.0), pool="small"), small[1]),
        at=NOW + 4.0,
    )
    made, memory = decide(policy, then, memory)
    assert made.raises == ()
    assert memory.capacity.pools == {"linux", "small"}


def test_up_to_the_limit_growth_is_free() -> None:
    """One of three instances runs; two more were there before."""
    one = an_open_cell("s", count=1, leases=BUSY[:1])
    made, memory = decided(one, a_cell("b", size=4), a_cell("c", size=4))
    assert [(rise.cell, rise.to) for rise in made.raises] == [("b", 2)]
    assert memory.capacity == LEARNT


def test_when_its_time_has_come_one_cell_is_tried_and_no_second_one_before_the_next_time() -> None:
    cells = [serving(), a_cell("b", size=4), a_cell("c", size=4)]
    made, memory = decided(*cells, at=NOW + 50.0)
    assert made.raises == (Raise(cell="b", to=4, reason=Reason.QUEUED_JOBS),)
    trying = replace(an_open_cell("b", count=4), writable=False, observed=0)
    made, again = decided(serving(), trying, a_cell("c", size=4), at=NOW + 60.0, known=memory.capacity)
    assert made.raises == ()
    assert again.capacity.tried_at == NOW + 50.0


def test_each_try_that_is_refused_doubles_the_time_to_the_next_up_to_ten_minutes() -> None:
    known, waits, at = LEARNT, [], NOW
    for _ in range(6):
        waits.append(back_off_seconds(known))
        at += back_off_seconds(known)
        known = replace(known, tried_at=at)
        at += 30.0
        known = learnt(known, [serving(), refused("b", at=at)], now=at)
    assert waits == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_the_refusals_of_one_burst_count_as_one() -> None:
    """They come cell by cell, and the last says best what is there."""
    first = learnt(Capacity(), [serving(), refused("a", at=NOW)], now=NOW)
    second = learnt(first, [serving(), refused("a", at=NOW), refused("b", at=NOW + 2.0)], now=NOW + 2.0)
    assert (second.limit, second.tries, second.refused_at) == (3, 0, NOW + 2.0)


def test_instances_that_came_above_the_limit_end_it_and_an_old_refusal_does_not_bring_it_back() -> None:
    """A cell that was refused long ago and was not written since still says so."""
    old = refused("a", at=LEARNT.refused_at)
    cells = [serving(), an_open_cell("b", count=2, parked=2), old]
    just_tried = replace(LEARNT, tried_at=NOW - 5.0)
    assert learnt(just_tried, cells, now=NOW) == just_tried, "a try may still be refused"
    known = learnt(replace(LEARNT, tried_at=max(LEARNT.refused_at + 1.0, NOW - 60.0)), cells, now=NOW + 60.0)
    assert known.limit is None
    assert learnt(known, cells, now=NOW + 1.0).limit is None


def test_containers_that_come_back_after_a_refusal_do_not_end_it() -> None:
    """At the refusal the containers of a refused cell were being replaced after their jobs, and did not count."""
    back = replace(refused("a", at=LEARNT.refused_at), parked=2)
    known = learnt(LEARNT, [serving(), back], now=NOW)
    assert known == LEARNT
    tried = replace(LEARNT, tried_at=LEARNT.refused_at - 1.0)
    assert learnt(tried, [serving(), back], now=NOW) == tried


def test_instances_that_are_only_asked_for_do_not_end_it() -> None:
    """The write is followed, and nobody in the cell has spoken yet."""
    asked = replace(an_open_cell("b", count=2), writable=False)
    assert learnt(LEARNT, [serving(), asked], now=NOW).limit == 3


@pytest.mark.parametrize(("after", "limit"), [(-1.0, 3), (0.0, None)])
def test_after_half_an_hour_it_is_forgotten(after: float, limit: int | None) -> None:
    now = LEARNT.refused_at + FORGOTTEN_AFTER_SECONDS + after
    assert learnt(LEARNT, [serving()], now=now).limit == limit


def test_a_refusal_of_long_ago_teaches_a_scaler_that_has_just_started_nothing() -> None:
    known = learnt(Capacity(), [refused("a", at=NOW - 3600.0)], now=NOW)
    assert (known.limit, known.refused_at) == (None, NOW - 3600.0)


def test_a_lost_memory_costs_one_burst() -> None:
    """A stored text of before, or none, is a memory without a limit."""
    assert memory_in('{"surplus": {}, "passed": []}').capacity == Capacity()
    made, _ = decided(serving(), a_cell("b", size=4), a_cell("c", size=5), known=Capacity())
    assert [rise.cell for rise in made.raises] == ["b", "c"]


def test_growth_above_the_limit_before_its_time_is_a_violation() -> None:
    """The list of what must always hold knows it by itself."""
    policy = a_policy(a_pool(maximum=50))
    facts = seen(serving(), a_cell("b", size=4, state=CellState.ZERO), a_cell("c", size=4))
    rise = Raise(cell="b", to=4, reason=Reason.QUEUED_JOBS)
    early = Decision(raises=(rise,), capacity=LEARNT, look_again_at=NOW + 1.0)
    assert violations(policy, facts, early) == [
        "4 instances would be asked for, Cloud Run allows 0 more, and the next try is not due"
    ]
    due = replace(LEARNT, refused_at=NOW - 60.0)
    two = replace(early, raises=(rise, replace(rise, cell="c")), capacity=due)
    assert violations(policy, facts, two) == [
        "8 instances would be asked for in 2 cells, and Cloud Run allows 0 more"
    ]
    assert violations(policy, facts, replace(early, capacity=due)) == []
