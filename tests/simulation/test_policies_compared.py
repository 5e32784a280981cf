"""What the planner promises, on slices of the named traces that run in seconds; whole days stand in the documentation."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from simulator.assumptions import Assumptions
from simulator.floor import wait_floors
from simulator.generators import generated
from simulator.outcome import Outcome, percentile
from simulator.policies import simulate
from simulator.trace import Trace

NEAR_THE_FLOOR = 1.10
REGISTRATION = 6.0


@cache
def part(name: str, begins_h: float = 0.0, ends_h: float = 24.0) -> Trace:
    """The jobs of a trace that are queued between two hours of its day, from the first of them on."""
    begins, ends = begins_h * 3600.0, ends_h * 3600.0
    return tuple(
        replace(job, queued_at=job.queued_at - begins)
        for job in generated(name, 1)
        if begins <= job.queued_at < ends
    )


def over_floor(outcome: Outcome, trace: Trace, assumptions: Assumptions) -> float:
    """The wait that 95 of 100 jobs did not exceed, over the same under an all-knowing scaler."""
    return outcome.wait(0.95) / percentile(wait_floors(trace, assumptions), 0.95)


@pytest.mark.parametrize(("writes", "paid"), [(180, 1.08), (30, 1.22)])
def test_a_team_waits_as_for_an_all_knowing_scaler_and_pays_little_more_than_its_jobs(
    writes: int, paid: float
) -> None:
    """A whole day of the team, at both quotas of writes."""
    trace, assumptions = part("team"), Assumptions(writes_per_minute=writes)
    outcome = simulate("cells", trace, assumptions)
    assert (outcome.completed, outcome.killed) == (len(trace), 0)
    assert over_floor(outcome, trace, assumptions) <= NEAR_THE_FLOOR
    assert outcome.paid / outcome.ideal <= paid


def test_with_five_warm_instances_half_of_a_team_waits_for_its_registration_alone() -> None:
    """Signal and offer included."""
    outcome = simulate("cells", part("team"), Assumptions(warm=5))
    assert outcome.completed == 300
    assert outcome.wait(0.5) < REGISTRATION + 1.5


def test_four_bursts_of_a_matrix_wait_as_for_an_all_knowing_scaler() -> None:
    """120 uneven jobs at once, four times; none of them is stopped."""
    trace, assumptions = part("matrix", ends_h=1.0), Assumptions()
    outcome = simulate("cells", trace, assumptions)
    assert len(trace) == 480
    assert (outcome.completed, outcome.killed) == (480, 0)
    assert over_floor(outcome, trace, assumptions) <= NEAR_THE_FLOOR


def test_the_morning_of_a_company_waits_as_for_an_all_knowing_scaler_where_crema_stops_jobs() -> None:
    """From eight to nine; the rest of the day is like it."""
    trace, assumptions = part("company", 8.0, 9.0), Assumptions()
    outcome = simulate("cells", trace, assumptions)
    crema = simulate("crema", trace, assumptions)
    assert len(trace) > 1_000
    assert (outcome.completed, outcome.killed) == (len(trace), 0)
    assert over_floor(outcome, trace, assumptions) <= NEAR_THE_FLOOR
    assert crema.killed > 50
    assert crema.wait(0.95) > outcome.wait(0.95)
