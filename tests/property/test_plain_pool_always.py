"""Whatever the trace and the faults, each job has one end or none, nothing exceeds its bound, and a seed tells the same story."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.assumptions import Assumptions
from simulator.baselines import crema
from simulator.baselines.kills import chance_of_no_kill, expected_kills
from simulator.faults import NO_FAULTS, Faults, Refusing
from simulator.outcome import Outcome
from simulator.plain_pool import POLICIES, simulate_plain
from simulator.trace import TraceJob

_SECONDS = st.floats(0.0, 7200.0)
_TRACES = st.lists(st.builds(TraceJob, queued_at=_SECONDS, duration=_SECONDS), max_size=25).map(
    lambda jobs: sorted(jobs, key=lambda job: job.queued_at)
)
_ASSUMPTIONS = st.builds(
    Assumptions,
    max_runners=st.integers(0, 12),
    writes_per_minute=st.integers(0, 30),
    registrations_per_minute=st.integers(0, 30),
    settle=st.floats(0.0, 120.0),
    seed=st.integers(0, 99),
)
_CHANCE = st.sampled_from([0.0, 0.2, 1.0])
_REFUSING = st.builds(
    lambda begins, lasts, instances: Refusing(begins=begins, ends=begins + lasts, instances=instances),
    _SECONDS,
    _SECONDS,
    st.integers(0, 5),
)
_FAULTS = st.builds(
    Faults,
    preemptions_per_hour=st.sampled_from([0.0, 3.0, 100.0]),
    writes_refused=_CHANCE,
    writes_unanswered=_CHANCE,
    webhooks_lost=_CHANCE,
    list_lag=st.sampled_from([0.0, 30.0, 600.0]),
    refusing=st.lists(_REFUSING, max_size=2).map(tuple),
)
_POLICIES = st.sampled_from(POLICIES)


def _ended(found: Outcome) -> int:
    return found.completed + found.killed + found.lost


@settings(deadline=None)
@given(_POLICIES, _TRACES, _ASSUMPTIONS, _FAULTS)
def test_each_job_has_one_end_or_never_ran(
    policy: str, trace: list[TraceJob], assumptions: Assumptions, faults: Faults
) -> None:
    """Every job that began has ended, and those that did not begin are the rest."""
    found = simulate_plain(policy, trace, assumptions, faults)
    assert found.jobs == len(trace)
    assert _ended(found) == len(found.waits) <= found.jobs
    assert all(wait >= 0.0 for wait in found.waits)
    assert found.lost == 0 or faults.preemptions_per_hour > 0


@settings(deadline=None)
@given(_POLICIES, _TRACES, _ASSUMPTIONS, _FAULTS)
def test_nothing_exceeds_its_bound(
    policy: str, trace: list[TraceJob], assumptions: Assumptions, faults: Faults
) -> None:
    found = simulate_plain(policy, trace, assumptions, faults)
    assert found.peak_instances <= assumptions.max_runners
    assert all(sample.running <= sample.instances <= found.peak_instances for sample in found.samples)
    assert found.lowering_writes <= found.writes
    if policy != "google-sample":
        assert found.registrations >= len(found.waits)
    minutes = found.samples[-1].at / 60.0 + 2.0
    assert found.registrations <= assumptions.registrations_per_minute * minutes
    assert found.writes <= assumptions.writes_per_minute * minutes


@settings(deadline=None)
@given(_POLICIES, _TRACES, _ASSUMPTIONS, _FAULTS)
def test_the_same_seed_tells_the_same_story(
    policy: str, trace: list[TraceJob], assumptions: Assumptions, faults: Faults
) -> None:
    assert simulate_plain(policy, trace, assumptions, faults) == simulate_plain(
        policy, trace, assumptions, faults
    )


@settings(deadline=None)
@given(_POLICIES, _TRACES)
def test_on_a_fine_day_every_job_has_an_end_and_is_paid_for(policy: str, trace: list[TraceJob]) -> None:
    """The sample may lose an increment, but never the only one: someone is left to do the work."""
    found = simulate_plain(policy, trace, Assumptions(), NO_FAULTS)
    assert _ended(found) == found.jobs
    if found.killed == 0:
        assert found.paid >= sum(job.duration for job in trace)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_chance_of_no_kill_agrees_with_the_mean(instances: int, busy: int, lowered_to: int) -> None:
    """At least one kill is no likelier than kills are many, and none is certain only if none is expected."""
    busy, lowered_to = min(busy, instances), min(lowered_to, instances)
    mean = expected_kills(instances=instances, busy=busy, lowered_to=lowered_to)
    chance = chance_of_no_kill(instances=instances, busy=busy, lowered_to=lowered_to)
    assert 0.0 <= 1.0 - chance <= mean + 1e-9
    assert (chance == 1.0) == (mean == 0.0)


@given(st.lists(st.tuples(st.floats(1.0, 100.0), st.integers(0, 400)), max_size=40), st.integers(0, 300))
def test_crema_never_lowers_below_the_demand_nor_raises_above_it(
    polls: list[tuple[float, int]], current: int
) -> None:
    """With the defaults and polls apart by more than the period; its kills come of who is hit, not of how many."""
    state, now = crema.started(current=current, now=0.0), 0.0
    rule = crema.Settings(most=300)
    for pause, demand in polls:
        now += 15.0 + pause
        state, wanted = crema.step(rule, state, count=demand, current=current, now=now)
        assert min(current, demand, 300) <= wanted <= max(current, demand)
        if wanted != current:
            state = crema.changed(rule, state, before=current, after=wanted, now=now)
        current = wanted
