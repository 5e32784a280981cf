"""Of any trace: floors keep the limits, reach the registration at best, and are no longer with more runners."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.assumptions import Assumptions
from simulator.floor import wait_floors
from simulator.trace import TraceJob

_SLACK = 1e-6

_assumptions = st.builds(
    Assumptions,
    max_runners=st.integers(1, 8),
    registrations_per_minute=st.integers(1, 8),
    start=st.floats(0.0, 60.0),
    registration=st.floats(0.0, 20.0),
    restart=st.floats(0.0, 60.0),
    warm=st.integers(0, 4),
)
_pauses = st.one_of(st.just(0.0), st.floats(0.0, 100.0))
_gaps_and_durations = st.lists(st.tuples(_pauses, st.floats(0.0, 300.0)), min_size=1, max_size=40)
_durations = st.lists(st.floats(0.0, 300.0), min_size=1, max_size=40)


def _trace(gaps_and_durations: list[tuple[float, float]]) -> list[TraceJob]:
    moments = accumulate(gap for gap, _ in gaps_and_durations)
    durations = [duration for _, duration in gaps_and_durations]
    return [
        TraceJob(queued_at=at, duration=duration) for at, duration in zip(moments, durations, strict=True)
    ]


@settings(deadline=None)
@given(_gaps_and_durations, _assumptions)
def test_no_job_runs_before_its_registration_and_none_overtakes(
    jobs: list[tuple[float, float]], assumptions: Assumptions
) -> None:
    trace = _trace(jobs)
    waits = wait_floors(trace, assumptions)
    assert len(waits) == len(trace)
    assert all(wait >= assumptions.registration - _SLACK for wait in waits)
    running = [job.queued_at + wait for job, wait in zip(trace, waits, strict=True)]
    assert all(after >= before - _SLACK for before, after in pairwise(running))


@settings(deadline=None)
@given(_gaps_and_durations, _assumptions)
def test_the_limits_of_runners_and_registrations_are_kept(
    jobs: list[tuple[float, float]], assumptions: Assumptions
) -> None:
    trace = _trace(jobs)
    waits = wait_floors(trace, assumptions)
    registered = [
        job.queued_at + wait - assumptions.registration for job, wait in zip(trace, waits, strict=True)
    ]
    ends = [job.queued_at + wait + job.duration for job, wait in zip(trace, waits, strict=True)]
    for moment in registered:
        within = sum(moment - 60.0 + _SLACK < other <= moment for other in registered)
        assert within <= assumptions.registrations_per_minute
        busy = sum(
            begin <= moment < end - _SLACK
            for begin, end in zip(registered, ends, strict=True)
            if end - begin > _SLACK
        )
        assert busy <= assumptions.max_runners


@settings(deadline=None)
@given(_gaps_and_durations, _assumptions)
def test_with_room_for_all_nobody_waits_for_more_than_a_start_and_a_registration(
    jobs: list[tuple[float, float]], assumptions: Assumptions
) -> None:
    ample = replace(assumptions, max_runners=100, registrations_per_minute=100)
    waits = wait_floors(_trace(jobs), ample)
    assert max(waits) <= ample.start + ample.registration + _SLACK


@settings(deadline=None)
@given(_durations, _assumptions)
def test_for_jobs_queued_together_more_runners_are_never_a_longer_wait(
    durations: list[float], assumptions: Assumptions
) -> None:
    trace = [TraceJob(queued_at=0.0, duration=duration) for duration in durations]
    fewer = wait_floors(trace, assumptions)
    more = wait_floors(trace, replace(assumptions, max_runners=assumptions.max_runners + 1))
    assert all(after <= before + _SLACK for before, after in zip(fewer, more, strict=True))


@settings(deadline=None)
@given(_gaps_and_durations, _assumptions)
def test_more_runners_are_never_a_wait_longer_by_more_than_a_start(
    jobs: list[tuple[float, float]], assumptions: Assumptions
) -> None:
    """Nothing is kept idle, so a job may find an instance back only because others were late."""
    trace = _trace(jobs)
    fewer = wait_floors(trace, assumptions)
    more = wait_floors(trace, replace(assumptions, max_runners=assumptions.max_runners + 1))
    assert all(
        after <= before + assumptions.start + _SLACK for before, after in zip(fewer, more, strict=True)
    )
