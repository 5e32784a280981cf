"""Jobs shorter than the lag of GitHub's lists, through the real decision: what they cost, and for how long they wait."""

from __future__ import annotations

from random import Random

import pytest

from simulator.assumptions import Assumptions
from simulator.faults import Faults
from simulator.outcome import Outcome
from simulator.policies import simulate
from simulator.trace import Trace, TraceJob

LAG = 45.0


def short_jobs(*, at_once: int, every: float, times: int) -> Trace:
    """Jobs of 5 to 20 s, some at once, again and again."""
    chance = Random(1)
    return tuple(
        TraceJob(
            repository=f"acme/r{again % 3}",
            queued_at=again * every + 0.05 * number,
            duration=chance.uniform(5, 20),
        )
        for again in range(times)
        for number in range(at_once)
    )


def run(trace: Trace, *, lag: float, webhooks_lost: float) -> Outcome:
    """One run of cells."""
    return simulate(
        "cells", trace, Assumptions(max_runners=40), Faults(list_lag=lag, webhooks_lost=webhooks_lost)
    )


@pytest.mark.parametrize("webhooks_lost", [0.0, 1.0])
@pytest.mark.parametrize(
    "trace",
    [
        pytest.param(short_jobs(at_once=50, every=400.0, times=2), id="bursts"),
        pytest.param(short_jobs(at_once=1, every=3.0, times=200), id="one after the other"),
    ],
)
def test_jobs_shorter_than_the_lag_of_lists_get_one_lease_each_and_wait_no_longer(
    trace: Trace, webhooks_lost: float
) -> None:
    """Beside the same jobs with lists that are up to date."""
    lagging = run(trace, lag=LAG, webhooks_lost=webhooks_lost)
    prompt = run(trace, lag=0.0, webhooks_lost=webhooks_lost)
    assert lagging.completed == prompt.completed == len(trace)
    assert lagging.registrations <= 1.04 * len(trace)
    # The one or two leases in vain listen for minutes; one for each job would cost several times as much.
    assert lagging.paid <= 1.7 * prompt.paid
    assert max(lagging.waits) <= max(prompt.waits) + 5.0
    assert sum(lagging.waits) <= 1.1 * sum(prompt.waits)
