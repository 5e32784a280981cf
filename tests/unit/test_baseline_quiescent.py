"""The plain rule that spares jobs: up at once, and down only from everything to nothing."""

from __future__ import annotations

import pytest

from simulator.assumptions import Assumptions
from simulator.baselines.quiescent import next_count
from simulator.plain_pool import simulate_plain
from simulator.trace import TraceJob


@pytest.mark.parametrize(
    ("open_jobs", "count", "wanted"),
    [
        (0, 0, 0),
        (7, 0, 7),
        (12, 0, 10),
        (12, 10, 10),
        (7, 3, 7),
        (3, 7, 7),
        (1, 10, 10),
        (0, 10, 0),
        (4, 12, 12),
    ],
)
def test_the_count_follows_demand_up_and_only_nothing_lowers_it(
    open_jobs: int, count: int, wanted: int
) -> None:
    assert next_count(open_jobs=open_jobs, count=count, max_runners=10) == wanted


def test_one_long_job_keeps_every_instance_of_a_burst() -> None:
    """Thirty jobs, one of them an hour: thirty instances are paid for during all of it, and no job is hit."""
    jobs = [TraceJob(queued_at=0.0, duration=3600.0 if place == 0 else 30.0) for place in range(30)]
    found = simulate_plain("quiescent", jobs, Assumptions())
    assert (found.completed, found.killed) == (30, 0)
    assert 30 * 3600.0 < found.paid < 30 * 3660.0


def test_a_job_that_comes_while_the_count_goes_to_zero_is_killed() -> None:
    """All were idle when the rule looked, and one is not when the write arrives: a record with a gate is what it lacks."""
    given = Assumptions()
    looks_at = given.webhook + given.write + given.start + given.registration + 100.0 + given.webhook
    ready = given.restart + given.registration
    jobs = [
        TraceJob(queued_at=0.0, duration=100.0 - ready),
        TraceJob(queued_at=0.0, duration=100.0),
        TraceJob(queued_at=looks_at + given.write / 2, duration=60.0),
    ]
    found = simulate_plain("quiescent", jobs, given)
    assert (found.completed, found.killed) == (2, 1)
