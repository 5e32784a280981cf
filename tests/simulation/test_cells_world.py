"""Facts about the world of policy cells (`simulator/cells`), each small enough to be computed by hand."""

from __future__ import annotations

from random import Random

import pytest

from scaler.core.model import PoolPolicy
from simulator.assumptions import Assumptions
from simulator.cells.cloud import Answer
from simulator.cells.times import DEFAULT_TIMES
from simulator.cells.world import CellsWorld
from simulator.faults import NO_FAULTS, Faults, Refusing
from simulator.outcome import Outcome
from simulator.policies import simulate
from simulator.trace import Trace, TraceJob
from tests.simulation.watched_cells import most_in_a_minute, watched

START, REGISTRATION, WEBHOOK = 12.0, 6.0, 0.5
SMALL = Assumptions(max_runners=10, start=START, registration=REGISTRATION, webhook=WEBHOOK)
# Between a look and a count that is written: gate, reading, record, request, half of a call.
RAISING = 0.38
# Signals share a tick, twice on the way to a job; answers take their time.
TICKS = 0.6
# From the end of a lease to an instance that is gone: linger, gate, reading, note, call, a second look, the victim's stop.
LINGER = PoolPolicy(name="any", labels=frozenset({"any"}), max=1).linger_seconds
CLOSING = 3.5

STORM = Faults(
    preemptions_per_hour=20.0,
    writes_refused=0.1,
    writes_unanswered=0.05,
    writes_late=0.05,
    webhooks_lost=0.2,
    list_lag=5.0,
    crashes_per_hour=10.0,
    replies_lost=0.02,
)


def crowd(jobs: int, *, seed: int = 1, at_once: int = 5, every: float = 30.0) -> Trace:
    """Jobs of 20 to 90 seconds, some at once, again and again."""
    chance = Random(seed)
    return tuple(
        TraceJob(queued_at=number // at_once * every, duration=chance.uniform(20.0, 90.0))
        for number in range(jobs)
    )


def one_job(*, at: float = 0.0, duration: float = 100.0) -> Trace:
    """A trace of one job."""
    return (TraceJob(queued_at=at, duration=duration),)


def run(trace: Trace, assumptions: Assumptions = SMALL, faults: Faults = NO_FAULTS) -> Outcome:
    """One run of cells."""
    return simulate("cells", trace, assumptions, faults)


def is_conserved(outcome: Outcome, trace: Trace) -> bool:
    """Whether each job is in one place, and whoever has worked was paid."""
    never_run = outcome.jobs - len(outcome.waits)
    placed = outcome.completed + outcome.killed + outcome.lost + never_run
    everything_done = outcome.completed == len(trace)
    least_paid = sum(job.duration for job in trace) if everything_done else 0.0
    return placed == outcome.jobs == len(trace) and outcome.paid >= least_paid


@pytest.mark.parametrize("faults", [NO_FAULTS, STORM], ids=["fine", "storm"])
def test_the_same_seed_gives_the_same_outcome_to_the_last_digit(faults: Faults) -> None:
    """Nothing hangs on the process, the order of sets or the world before."""
    trace = crowd(20)
    assert run(trace, faults=faults) == run(trace, faults=faults)


def test_another_seed_gives_another_outcome() -> None:
    """Starts and victims are drawn."""
    trace = crowd(20)
    other = Assumptions(max_runners=10, seed=2)
    assert run(trace).waits != run(trace, other).waits


@pytest.mark.parametrize("seed", range(4))
def test_every_job_is_in_one_place_and_its_time_is_paid(seed: int) -> None:
    """Completed, killed, lost or never run, whatever the weather; and no scaler stops one."""
    trace = crowd(30, seed=seed)
    for faults in (NO_FAULTS, STORM):
        outcome = run(trace, Assumptions(max_runners=10, seed=seed), faults)
        assert is_conserved(outcome, trace), outcome
        assert outcome.killed == 0


def test_one_job_costs_its_start_its_registration_its_time_and_what_linger_and_closing_add() -> None:
    """Computed by hand: the wait is bounded by the sum of its parts, and so is what is paid."""
    for at in (0.0, 500.0):
        outcome = run(one_job(at=at))
        [wait] = outcome.waits
        least = WEBHOOK + RAISING + 0.9 * START + REGISTRATION
        assert least <= wait <= WEBHOOK + RAISING + START + REGISTRATION + TICKS
        until_the_end = wait - WEBHOOK - RAISING + 100.0
        assert until_the_end - TICKS + LINGER < outcome.paid < until_the_end + LINGER + CLOSING
        assert (outcome.writes, outcome.lowering_writes, outcome.registrations) == (2, 1, 1)
        assert (outcome.cells, outcome.peak_instances) == (1, 1)


def test_a_job_that_finds_a_parked_instance_waits_for_its_registration_alone() -> None:
    """Start and write are behind it."""
    [wait] = run(one_job(at=100.0), Assumptions(max_runners=10, warm=1)).waits
    assert REGISTRATION < wait <= WEBHOOK + REGISTRATION + TICKS


def test_a_count_is_lowered_once_to_zero_after_the_last_job_of_its_cell() -> None:
    """Twenty jobs on two instances' worth of writes stand together in cells, and the shorter ones stop nobody."""
    seen = watched(crowd(20, at_once=20), Assumptions(max_runners=20, writes_per_minute=6))
    lowered = [each for each in seen.writes if each.after < each.before]
    assert lowered, "nothing was lowered, so this proves nothing"
    assert {each.after for each in lowered} == {0}
    assert max(each.before for each in lowered) > 1, "no cell held more than one instance"
    assert seen.outcome.killed == seen.world.witnessed.killed_runners == 0
    last_end = max(job.ended_at or 0.0 for job in seen.world.github.jobs)
    begun = seen.world.github.jobs[0].queued_at
    assert lowered[-1].at > last_end - begun
    assert seen.is_at_rest


def test_a_preempted_job_is_lost_and_its_lease_leaves_the_record() -> None:
    """The platform's stop is told as lost, not as killed, and the lease that is dying is over when it said."""
    world = CellsWorld(one_job(duration=3000.0), SMALL)
    begun = world.time.now
    leases: dict[float, int] = {}

    def look(at: float) -> None:
        leases[at] = sum(len(each.leases) for each in world.store.cells.values())

    world.time.at(begun + 200.0, world.cloud.preempt)
    # The dying lease is seen to be over by the next look at the cells.
    over = 200.0 + DEFAULT_TIMES.dying + 2 * DEFAULT_TIMES.cells
    for at in (199.0, over):
        world.time.at(begun + at, lambda at=at: look(at))  # type: ignore[misc]
    outcome = world.run()
    assert leases == {199.0: 1, over: 0}
    assert (outcome.completed, outcome.killed, outcome.lost) == (0, 0, 1)
    assert outcome.paid < 300.0, "the instance was kept for a job that is over"


@pytest.mark.parametrize("at", [1.0, 29.0, 31.0, 59.5])
def test_a_job_whose_webhook_is_lost_is_found_by_the_next_sweep(at: float) -> None:
    """Thirty seconds at most on top of the wait of any job."""
    [wait] = run(one_job(at=at), faults=Faults(webhooks_lost=1.0)).waits
    found = DEFAULT_TIMES.sweep - at % DEFAULT_TIMES.sweep
    assert found <= wait - RAISING - 0.9 * START - REGISTRATION
    assert wait <= found + RAISING + START + REGISTRATION + TICKS


def test_lists_that_lag_give_no_job_a_second_lease() -> None:
    """A job that runs and is still called queued is covered by the lease that runs it."""
    outcome = run(crowd(20), faults=Faults(list_lag=40.0))
    assert outcome.completed == outcome.registrations == 20


def test_a_refused_quota_does_not_stop_the_growth_of_what_fits() -> None:
    """Five of ten instances are allowed: five jobs run at once, and the others as these end."""
    seen = watched(
        crowd(10, at_once=10), SMALL, Faults(refusing=(Refusing(begins=0.0, ends=1e6, instances=5),))
    )
    assert {each.answer for each in seen.writes} == {Answer.TAKEN, Answer.NO_CAPACITY}
    assert (seen.outcome.completed, seen.outcome.peak_instances) == (10, 5)
    at_once = WEBHOOK + RAISING + START + REGISTRATION + TICKS
    assert sum(wait <= at_once for wait in seen.outcome.waits) == 5
    assert seen.is_at_rest


def test_a_scaler_that_is_killed_between_any_two_steps_costs_time_and_no_job() -> None:
    """Some dozens of crashes over three worlds, at many different steps; every world comes to rest."""
    steps: set[str] = set()
    for seed in (1, 3, 5):
        trace = crowd(40, seed=seed)
        seen = watched(trace, Assumptions(max_runners=10, seed=seed), Faults(crash_in_step=0.02))
        steps |= seen.world.witnessed.crashes.keys()
        assert seen.outcome.completed == len(trace)
        assert seen.world.witnessed.broken == []
        # What is bought twice is a lease that died with its scaler, and no cell waits for hours for a word that was lost.
        assert seen.outcome.registrations <= len(trace) + sum(seen.world.witnessed.crashes.values())
        assert seen.outcome.paid < 2 * seen.outcome.ideal
        assert seen.is_at_rest
    assert len(steps) >= 10, "too few steps were hit to prove much"


def test_with_four_writes_a_minute_every_job_is_done_all_the_same() -> None:
    """They wait longer, on fuller cells."""
    few = watched(crowd(40), Assumptions(max_runners=10, writes_per_minute=4))
    plenty = run(crowd(40))
    assert few.outcome.completed == 40
    assert most_in_a_minute([each.at for each in few.writes]) <= 4
    assert few.outcome.writes < plenty.writes
    assert few.outcome.wait(0.95) > plenty.wait(0.95)
    assert few.is_at_rest
