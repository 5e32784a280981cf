"""A lowered count stops running jobs: how many by the formula, and the same many in the simulated worker pool."""

from __future__ import annotations

from math import sqrt
from random import Random

import pytest

from simulator.assumptions import Assumptions
from simulator.baselines.kills import chance_of_no_kill, expected_kills
from simulator.faults import NO_FAULTS
from simulator.plain.cloud import WorkerPool
from simulator.plain.instances import Instances
from simulator.plain.jobs import Ending, Jobs
from simulator.trace import TraceJob
from simulator.virtual_time import VirtualTime

_LOWERED = ("instances", "busy", "lowered_to")
_TABLE = {
    (2, 1, 1): (0.5, 0.50, 0.005),
    (10, 5, 5): (2.5, 0.004, 0.0005),
    (10, 5, 8): (1.0, 0.22, 0.005),
    (20, 19, 19): (0.95, 0.05, 0.005),
    (20, 10, 10): (5.0, 5e-6, 5e-7),
    (50, 5, 45): (0.5, 0.58, 0.005),
    (50, 5, 5): (4.5, 5e-7, 5e-7),
}
"""Kills, the chance of none, and how exactly it was published; the last row's is "less than 0.0001 %"."""
_WORLDS = 400
_SIGMAS = 5


@pytest.mark.parametrize(_LOWERED, _TABLE)
def test_the_published_table_follows_from_the_formula(instances: int, busy: int, lowered_to: int) -> None:
    kills, no_kill, within = _TABLE[instances, busy, lowered_to]
    assert expected_kills(instances=instances, busy=busy, lowered_to=lowered_to) == pytest.approx(kills)
    chance = chance_of_no_kill(instances=instances, busy=busy, lowered_to=lowered_to)
    assert chance == pytest.approx(no_kill, abs=within)


def test_who_stops_nothing_kills_nothing() -> None:
    assert expected_kills(instances=0, busy=0, lowered_to=0) == 0.0
    assert chance_of_no_kill(instances=7, busy=7, lowered_to=7) == 1.0
    assert chance_of_no_kill(instances=7, busy=1, lowered_to=0) == 0.0


@pytest.mark.parametrize(_LOWERED, _TABLE)
def test_the_victims_of_the_simulated_pool_agree_with_the_formula(
    instances: int, busy: int, lowered_to: int
) -> None:
    """The mean lies within five standard errors of a draw without replacement, the share of worlds without a kill of a coin."""
    killed = [_killed(seed, instances, busy, lowered_to) for seed in range(_WORLDS)]
    victims, share = instances - lowered_to, busy / instances
    spread = sqrt(victims * share * (1 - share) * (instances - victims) / (instances - 1))
    kills = expected_kills(instances=instances, busy=busy, lowered_to=lowered_to)
    assert abs(sum(killed) / _WORLDS - kills) <= _SIGMAS * spread / sqrt(_WORLDS)
    chance = chance_of_no_kill(instances=instances, busy=busy, lowered_to=lowered_to)
    spared = killed.count(0) / _WORLDS
    assert abs(spared - chance) <= _SIGMAS * sqrt(chance * (1 - chance) / _WORLDS)
    assert max(killed) <= min(busy, victims)


def _killed(seed: int, instances: int, busy: int, lowered_to: int) -> int:
    """Lower the count of a pool of so many instances, of which so many run a job."""
    time, jobs = VirtualTime(), Jobs()
    assumptions = Assumptions(registrations_per_minute=6000)
    here = Instances(
        time=time,
        jobs=jobs,
        assumptions=assumptions,
        chance=Random(seed),
        ephemeral=True,
        job_over=lambda: None,
    )
    pool = WorkerPool(
        time=time, instances=here, assumptions=assumptions, faults=NO_FAULTS, chance=Random(seed)
    )
    for _ in range(busy):
        jobs.queue(TraceJob(queued_at=0.0, duration=3600.0))
    pool.write(instances, lambda _: None)
    time.run(until=60.0)
    assert (len(here), jobs.running) == (instances, busy)
    pool.write(lowered_to, lambda _: None)
    time.run(until=120.0)
    assert len(here) == lowered_to
    assert jobs.running == busy - jobs.ended[Ending.KILLED]
    return jobs.ended[Ending.KILLED]
