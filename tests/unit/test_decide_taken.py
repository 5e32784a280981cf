"""Jobs that are over while GitHub still lists them as queued: no lease is spent on them, and no other job is hidden."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from scaler.core.decide import decide
from scaler.core.demand import LISTS_LAG_SECONDS
from scaler.core.memory_text import memory_in, memory_text
from scaler.core.model import CellSeen, DemandSeen, LeaseSeen, LeaseState, Memory, QueuedJob
from scaler.core.taken import CLOCKS_DIFFER_SECONDS
from tests.factories import NOW, a_cell, a_job, a_policy, an_open_cell, demand, jobs, lease_seen, seen

OLD = NOW - 30.0


class Story:
    """One pool with room for four, whose clock a test moves on; each look goes on from the memory of the one before."""

    def __init__(self) -> None:
        self.now = NOW
        self.memory = Memory()
        self.look_again_at = 0.0

    def look(
        self,
        *queued: QueuedJob,
        leases: Iterable[LeaseSeen] = (),
        after: float = 0.0,
        running: dict[int, int] | None = None,
    ) -> int:
        """How many queued jobs nothing covers, `after` seconds later."""
        self.now += after
        standing = tuple(leases)
        cell = an_open_cell("a", count=4, leases=standing, parked=4 - len(standing))
        return self._decided(cell, demand(*queued, at=self.now, running=running))

    def _decided(self, cell: CellSeen, known: DemandSeen) -> int:
        facts = seen(cell, a_cell("b"), demand=known, at=self.now)
        decision, self.memory = decide(a_policy(), facts, self.memory)
        self.look_again_at = decision.look_again_at
        (picture,) = decision.pools
        assert sum(grant.leases for grant in decision.grants) == min(picture.uncovered, cell.parked)
        return picture.uncovered


def runs(name: str = "lease-1", *, since: float = NOW, runner: int | None = 7) -> LeaseSeen:
    """A lease that has begun a job."""
    return replace(lease_seen(LeaseState.RUNNING, lease_id=name, since=since), runner_id=runner)


def test_a_job_that_is_over_and_still_listed_as_queued_gets_no_second_lease() -> None:
    it = Story()
    assert it.look(*jobs(1), leases=[runs()]) == 0
    assert it.look(*jobs(1), after=10.0) == 0
    assert it.look(*jobs(1), after=LISTS_LAG_SECONDS - 10.1) == 0


def test_it_is_demand_again_once_the_lists_must_be_right_and_the_decision_looks_again_then() -> None:
    """It may be another job, say, that GitHub gave to nobody."""
    it = Story()
    it.look(*jobs(1), leases=[runs()])
    it.look(*jobs(1), after=LISTS_LAG_SECONDS - 5.0)
    assert it.look_again_at == NOW + LISTS_LAG_SECONDS
    assert it.look(*jobs(1), after=5.0) == 1
    assert it.memory.taken == {}


def test_a_job_that_was_queued_after_the_lease_had_begun_its_own_is_demand_at_once() -> None:
    it = Story()
    it.look(*jobs(1), leases=[runs()])
    later = a_job(number=2, queued_at=NOW + CLOCKS_DIFFER_SECONDS + 0.1)
    assert it.look(*jobs(1), later, after=10.0) == 1
    sooner = a_job(number=3, queued_at=NOW + CLOCKS_DIFFER_SECONDS - 0.1)
    assert it.look(sooner, later) == 2, "the cover has ended with the job that left the queue"


def test_a_lease_that_stands_and_is_remembered_covers_once() -> None:
    it = Story()
    assert [it.look(*jobs(3), leases=[runs()]) for _ in range(3)] == [2, 2, 2]
    assert [it.look(*jobs(3), after=5.0) for _ in range(3)] == [2, 2, 2]


def test_each_lease_covers_one_job() -> None:
    it = Story()
    it.look(*jobs(3), leases=[runs("lease-1"), runs("lease-2", runner=8)])
    assert it.look(*jobs(3), leases=[runs("lease-2", runner=8)], after=5.0) == 1
    assert it.look(*jobs(3), after=5.0) == 1


def test_where_the_job_is_known_just_that_one_is_left_out() -> None:
    """The other was queued before, and nobody has taken it."""
    it = Story()
    it.look(*jobs(2), leases=[replace(runs(), job_id=1)])
    assert it.look(*jobs(2), after=5.0) == 1
    assert it.look(a_job(number=2), after=5.0) == 1


def test_a_reading_can_tell_which_job_it_was_after_the_lease_is_over() -> None:
    """Lists show ends late, too."""
    it = Story()
    it.look(*jobs(2), leases=[runs()])
    assert it.look(*jobs(2), after=5.0) == 1
    assert it.look(a_job(number=2), after=5.0, running={7: 1}) == 1
    assert it.look(*jobs(2), after=5.0) == 1


def test_a_reading_that_shows_one_job_fewer_ends_the_cover_of_one_lease() -> None:
    it = Story()
    it.look(*jobs(3), leases=[runs("lease-1"), runs("lease-2", runner=8)])
    assert it.look(*jobs(3), after=5.0) == 1
    assert it.look(*jobs(2), after=5.0) == 1
    assert it.look(*jobs(1), after=5.0) == 1


def test_a_job_of_which_all_is_known_ends_no_cover_when_it_leaves_the_queue() -> None:
    it = Story()
    it.look(*jobs(2), leases=[runs("lease-1"), runs("lease-2", runner=8)])
    it.look(*jobs(2), after=5.0)
    assert it.look(a_job(number=1), after=5.0, running={8: 2}) == 0


@pytest.mark.parametrize("state", [LeaseState.STARTING, LeaseState.LISTENING, LeaseState.UNKNOWN])
def test_a_lease_that_ends_without_a_job_covers_nothing_any_more(state: LeaseState) -> None:
    it = Story()
    assert it.look(*jobs(1), leases=[lease_seen(state, since=NOW)]) == 0
    assert it.look(*jobs(1), after=1.0) == 1


def test_the_job_of_a_lease_that_dies_is_not_given_again() -> None:
    """GitHub does not queue it again by itself."""
    it = Story()
    it.look(*jobs(1), leases=[runs()])
    dies = lease_seen(LeaseState.DYING, since=NOW + 5.0)
    assert it.look(*jobs(1), leases=[dies], after=5.0) == 0
    assert it.look(*jobs(1), after=15.0) == 0


def test_a_long_job_covers_nothing_after_its_end() -> None:
    """Also when no reading has ever shown which it was."""
    it = Story()
    it.look(leases=[runs()])
    it.look(leases=[runs()], after=2 * LISTS_LAG_SECONDS)
    over = lease_seen(LeaseState.COMPLETED, since=it.now + 5.0)
    it.look(leases=[over], after=5.0)
    assert it.look(a_job(queued_at=OLD), after=1.0) == 1


def test_what_was_begun_survives_as_text() -> None:
    it = Story()
    it.look(*jobs(3), leases=[runs("lease-1"), replace(runs("lease-2"), job_id=2)])
    text = memory_text(it.memory)
    assert memory_in(text) == it.memory
    assert it.memory.shown == {"linux": frozenset({1, 3})}
    assert it.look(*jobs(3), after=5.0) == 1


def test_a_clock_that_is_set_back_leaves_no_cover_behind() -> None:
    it = Story()
    it.look(*jobs(1), leases=[runs()])
    assert it.look(*jobs(1), after=-3_600.0) == 1
