"""The incident of one public fleet in virtual time: 309 jobs at once, and a region that refuses CPU.

There 250 instances came at once, failed to register in a loop, and then every count but zero was refused
(https://github.com/tsz-org/tsz/issues/9918). The same with real processes stands in
`tests/scenarios/test_three_hundred_nine_jobs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

import pytest

from scaler.core import capacity
from scaler.core.model import Capacity, CellSeen
from simulator.assumptions import Assumptions
from simulator.faults import Faults, Refusing
from simulator.generators import generated
from simulator.policies import simulate
from tests.simulation.watched_cells import Watched, most_in_a_minute, watched

JOBS = 309
# For five minutes the region holds a hundred instances, then it starts none, and after 25 minutes it has room for all.
FULL_FROM, ROOM_FROM, ALLOWED = 300.0, 1500.0, 100
REFUSING = Faults(
    refusing=(
        Refusing(begins=0.0, ends=FULL_FROM, instances=ALLOWED),
        Refusing(begins=FULL_FROM, ends=ROOM_FROM, instances=0),
    )
)


def incident(*, most: int) -> Watched:
    """309 jobs of 5 to 20 minutes under policy cells."""
    return watched(generated("tsz", 1), Assumptions(max_runners=most), REFUSING)


played = cache(incident)


def goes(moments: Sequence[float]) -> Sequence[Sequence[float]]:
    """The moments, those that are less than ten seconds apart together."""
    together: list[list[float]] = []
    for at in moments:
        if together and at - together[-1][-1] < 10.0:
            together[-1].append(at)
        else:
            together.append([at])
    return together


def nothing_learnt(before: Capacity, cells: Iterable[CellSeen], *, now: float) -> Capacity:
    """A scaler that forgets what was refused."""
    return before


@pytest.mark.parametrize("most", [250, 300])
def test_a_full_region_costs_time_and_neither_jobs_nor_registrations(most: int) -> None:
    """Each job is done once, within the budgets of registrations and of writes, and nothing is left."""
    seen = played(most=most)
    outcome, jobs = seen.outcome, seen.world.github.jobs
    assert (outcome.completed, outcome.killed, outcome.lost) == (JOBS, 0, 0)
    assert len(outcome.waits) == seen.world.github.over == sum(job.succeeded for job in jobs) == JOBS
    assert outcome.registrations == len(seen.registered_at) <= JOBS * 1.05
    assert most_in_a_minute(seen.registered_at) <= 150
    assert most_in_a_minute([each.at for each in seen.writes]) <= 30
    # Of those that were allowed hardly one was left out; what goes on beyond them went on before the refusal.
    standing = [sample.instances for sample in outcome.samples if 60.0 <= sample.at <= ROOM_FROM]
    assert ALLOWED - 10 <= min(standing) <= max(standing) <= ALLOWED
    assert outcome.peak_instances > ALLOWED, "the room that came back was not used"
    assert seen.world.witnessed.broken == []
    assert seen.is_at_rest


@pytest.mark.parametrize("most", [250, 300])
def test_a_full_region_is_asked_ever_more_rarely(most: int) -> None:
    """After the burst that was refused one cell at a time is tried, each time after twice as long."""
    burst, *tries = goes([each.at for each in played(most=most).refused_raises])
    assert len(burst) > 10, "the quota has hardly refused, so this proves little"
    # The first try may find the rest of the room. That ends what was learnt, and the next burst learns it again.
    if len(tries[0]) > 2:
        del tries[0]
    assert len(tries) >= 4
    assert max(map(len, tries)) <= 2, "a burst although nothing had come above the limit"
    pauses = [second[0] - first[-1] for first, second in pairwise(tries)]
    assert pauses[0] >= 60.0
    assert all(later > 1.5 * sooner for sooner, later in pairwise(pauses)), pauses


def test_without_what_was_learnt_each_minute_has_its_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fact above hangs on: many more refusals, and writes that they have used up."""
    learnt = played(most=250)
    monkeypatch.setattr(capacity, "learnt", nothing_learnt)
    forgot = incident(most=250)
    assert len(forgot.refused_raises) > 5 * len(learnt.refused_raises)
    assert len(forgot.writes) > 3 * len(learnt.writes)
    assert forgot.outcome.completed == JOBS, "it is a waste, and no loss"


def test_in_the_same_region_crema_stops_jobs_and_registers_in_vain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It lowers its one count while jobs run, and what it has paid for those is lost."""
    ours = played(most=250).outcome
    theirs = simulate("crema", generated("tsz", 1), Assumptions(max_runners=250), REFUSING)
    with capsys.disabled():
        print()
        for each in (ours, theirs):
            print(
                f"{each.policy}: {each.completed} of {each.jobs} jobs done, {each.killed} killed, "
                f"{each.registrations} registrations, {each.paid / each.completed:.0f} s paid for each job that was done"
            )
    assert ours.killed == 0
    assert theirs.killed > 10
    assert theirs.completed == JOBS - theirs.killed
    assert theirs.registrations > 1.1 * JOBS
    assert theirs.paid / theirs.completed > 1.1 * ours.paid / ours.completed
