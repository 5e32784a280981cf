"""One worker pool in virtual time: when jobs begin, what is paid for, who is hit, what a fault costs."""

from __future__ import annotations

import pytest

from simulator.assumptions import Assumptions
from simulator.baselines import crema
from simulator.faults import Faults, Refusing
from simulator.outcome import Outcome
from simulator.plain.bucket import Bucket
from simulator.plain_pool import GIVEN_UP_AFTER, POLICIES, simulate_plain
from simulator.trace import TraceJob

_GIVEN = Assumptions()
_READY = _GIVEN.write + _GIVEN.start + _GIVEN.registration
"""Seconds from a scaler's look to a runner that can take a job."""
_MINUTE = 60.0


def _jobs(number: int, *, duration: float = 600.0, apart: float = 0.0) -> list[TraceJob]:
    return [TraceJob(queued_at=apart * place, duration=duration) for place in range(number)]


def _never_ran(found: Outcome) -> int:
    return found.jobs - found.completed - found.killed - found.lost


@pytest.mark.parametrize(
    ("policy", "looked_after"),
    [("crema", 30.0), ("google-sample", _GIVEN.webhook), ("quiescent", _GIVEN.webhook)],
)
def test_one_job_waits_for_the_look_the_write_the_start_and_the_registration(
    policy: str, looked_after: float
) -> None:
    found = simulate_plain(policy, _jobs(1), _GIVEN)
    assert found.waits == pytest.approx([looked_after + _READY])
    assert (found.completed, found.cells, found.peak_instances) == (1, 1, 1)
    assert found.ideal == 600.0 + _GIVEN.start + _GIVEN.registration


def test_an_instance_is_paid_from_the_count_that_asks_for_it_until_it_is_gone() -> None:
    """The plain rule: start, registration, job, then a webhook and a write to zero, then the victim's end."""
    found = simulate_plain("quiescent", _jobs(1), _GIVEN)
    down = _GIVEN.webhook + _GIVEN.write + _GIVEN.settle
    assert found.paid == pytest.approx(_GIVEN.start + _GIVEN.registration + 600.0 + down)
    assert (found.writes, found.lowering_writes) == (2, 1)


def test_crema_pays_for_300_idle_seconds_and_less_than_a_poll_more() -> None:
    """Ten at once and of one length; while they ran, the count stood at ten."""
    found = simulate_plain("crema", _jobs(10), _GIVEN)
    busy = 10 * 600.0
    ramp = 10 * 60.0 + 10 * (_GIVEN.start + _GIVEN.registration)
    assert found.killed == 0
    assert busy + 10 * 270.0 < found.paid < busy + ramp + 10 * (300.0 + 30.0 + _GIVEN.settle)


def test_crema_stops_running_jobs_when_it_lowers() -> None:
    """Half of the jobs end early: 300 seconds later half of the instances go, and not those without a job."""
    jobs = sorted([*_jobs(50, duration=200.0), *_jobs(50, duration=3000.0)], key=lambda job: job.queued_at)
    found = simulate_plain("crema", jobs, _GIVEN)
    assert found.killed > 10
    assert found.completed == 100 - found.killed
    assert simulate_plain("quiescent", jobs, _GIVEN).killed == 0


def test_crema_polls_at_the_interval_it_is_given() -> None:
    found = simulate_plain("crema", _jobs(1), _GIVEN, crema_settings=crema.Settings(poll=15.0))
    assert found.waits == pytest.approx([15.0 + _READY])


def test_crema_remembers_what_it_added_within_the_period() -> None:
    """At polls ten seconds apart the counts are 1, 4 and 5, as each period of fifteen seconds began with 0, 0 and 1."""
    quick = crema.Settings(poll=10.0)
    found = simulate_plain("crema", _jobs(5), _GIVEN, crema_settings=quick)
    assert sorted(found.waits) == pytest.approx([10.0 + _READY, *[20.0 + _READY] * 3, 30.0 + _READY])


@pytest.mark.parametrize("policy", ["crema", "quiescent"])
@pytest.mark.parametrize("most", [7, 150])
def test_all_scalers_have_the_limit_of_the_assumptions(policy: str, most: int) -> None:
    """And not CREMA's own of a hundred."""
    found = simulate_plain(policy, _jobs(160), Assumptions(max_runners=most))
    assert found.peak_instances == most


def test_the_plain_rule_looks_again_after_a_write_in_which_a_job_came() -> None:
    """The second job's webhook is heard while the first's write is under way."""
    slow = Assumptions(write=2.0)
    found = simulate_plain("quiescent", _jobs(2, apart=0.6), slow)
    first = slow.webhook + slow.write + slow.start + slow.registration
    assert found.waits == pytest.approx([first, first + slow.write - 0.6])


def test_the_plain_rule_repeats_a_refused_write_within_seconds() -> None:
    """Two a minute: the third write is made soon after the bucket has one again, not at the minute's look."""
    found = simulate_plain("quiescent", _jobs(3, apart=1.0), Assumptions(writes_per_minute=2))
    one_again = _GIVEN.webhook + _GIVEN.write + 30.0
    ready = one_again + _GIVEN.start + _GIVEN.registration - 2.0
    assert ready <= found.waits[2] <= ready + 2.0 + _GIVEN.write


def test_an_operation_that_takes_long_holds_up_the_polls() -> None:
    """A hundred seconds each: the ramp of 1, 5, 10 is asked for at 30, 130 and 230 seconds and not at 30, 60 and 90."""
    slow = Assumptions(settle=100.0 - _GIVEN.write)
    found = simulate_plain("crema", _jobs(10, duration=3000.0), slow)
    assert sorted(found.waits) == pytest.approx([30.0 + _READY, *[130.0 + _READY] * 4, *[230.0 + _READY] * 5])


def test_an_ephemeral_runner_leaves_and_its_replacement_registers() -> None:
    """A second job on the only instance waits for exit, restart and registration."""
    one = Assumptions(max_runners=1)
    found = simulate_plain("quiescent", _jobs(2, duration=100.0), one)
    first = _GIVEN.webhook + _READY
    between = _GIVEN.restart + _GIVEN.registration
    assert found.waits == pytest.approx([first, first + 100.0 + between])
    assert found.registrations == 2


def test_the_oldest_job_begins_first() -> None:
    one = Assumptions(max_runners=1)
    found = simulate_plain("quiescent", _jobs(5, duration=50.0, apart=1.0), one)
    assert list(found.waits) == sorted(found.waits)
    assert found.completed == 5


def test_registrations_beyond_the_minutes_bucket_wait_for_it() -> None:
    """Sixty a minute: the first sixty at once, and then one each second."""
    found = simulate_plain("quiescent", _jobs(70), Assumptions(registrations_per_minute=60))
    first = _GIVEN.webhook + _READY
    assert found.waits[:60] == pytest.approx([first] * 60)
    assert found.waits[60:] == pytest.approx([first + place + 1.0 for place in range(10)])


def test_without_registrations_nothing_runs_and_the_run_still_ends() -> None:
    found = simulate_plain("crema", _jobs(3), Assumptions(registrations_per_minute=0))
    assert (_never_ran(found), found.registrations, len(found.waits)) == (3, 0, 0)
    assert GIVEN_UP_AFTER < found.samples[-1].at < GIVEN_UP_AFTER + 600.0


def test_a_bucket_holds_a_minutes_worth_and_fills_evenly() -> None:
    bucket = Bucket(30)
    assert [bucket.take(100.0) for _ in range(31)] == [True] * 30 + [False]
    assert bucket.next_at(100.0) == pytest.approx(102.0)
    assert not bucket.take(101.9)
    assert bucket.take(bucket.next_at(101.9))
    assert sum(bucket.take(1000.0) for _ in range(100)) == 30
    assert not Bucket(0).take(0.0)


def test_crema_goes_on_after_a_refused_write_at_its_next_poll() -> None:
    """One write a minute: each step of the ramp waits for a poll that finds the bucket filled."""
    jobs = _jobs(10, duration=3000.0)
    slow, free = (simulate_plain("crema", jobs, Assumptions(writes_per_minute=rate)) for rate in (1, 30))
    assert (slow.completed, free.completed) == (10, 10)
    assert sorted(free.waits)[5:] == pytest.approx([90.0 + _READY] * 5)
    assert sorted(slow.waits)[5:] == pytest.approx([150.0 + _READY] * 5)


def test_a_pool_that_refuses_every_write_runs_nothing() -> None:
    for policy in POLICIES:
        found = simulate_plain(policy, _jobs(4), _GIVEN, Faults(writes_refused=1.0))
        assert (_never_ran(found), found.writes, found.paid, found.cells) == (4, 0, 0.0, 0)


def test_an_unanswered_write_was_made_and_crema_does_not_wait_for_its_operation() -> None:
    """It takes silence for a failure; at its next poll it reads the count that has changed, and goes on from there."""
    slow = Assumptions(settle=100.0 - _GIVEN.write)
    found = simulate_plain("crema", _jobs(10, duration=3000.0), slow, Faults(writes_unanswered=1.0))
    assert sorted(found.waits) == pytest.approx([30.0 + _READY, *[60.0 + _READY] * 4, *[90.0 + _READY] * 5])


def test_instances_beyond_the_regions_cpu_come_when_it_is_over_and_cost_nothing_before() -> None:
    refusing = Refusing(begins=0.0, ends=1000.0, instances=4)
    found = simulate_plain("quiescent", _jobs(10, duration=3000.0), _GIVEN, Faults(refusing=(refusing,)))
    at_first = [sample.instances for sample in found.samples if _MINUTE <= sample.at < 1000.0]
    later = [sample.instances for sample in found.samples if 1000.0 < sample.at < 3000.0]
    assert (set(at_first), set(later)) == ({4}, {10})
    assert found.waits[4:] == pytest.approx([1000.0 + _GIVEN.start + _GIVEN.registration] * 6)


def test_a_preempted_job_is_lost_and_its_instance_replaced() -> None:
    """A thousand an hour on two instances: hardly a job of ten minutes ends by itself, and the pool is still there."""
    found = simulate_plain("quiescent", _jobs(2), _GIVEN, Faults(preemptions_per_hour=1000.0))
    assert found.lost == 2
    assert found.killed == 0
    late = [TraceJob(queued_at=0.0, duration=600.0), TraceJob(queued_at=300.0, duration=1.0)]
    assert simulate_plain("quiescent", late, _GIVEN, Faults(preemptions_per_hour=60.0)).completed >= 1


def test_a_short_job_is_counted_for_as_long_as_the_list_lags() -> None:
    """Over before the second poll, it is gone from a true list; a lagging one shows it for 600 seconds, and holds 300 more."""
    short = [TraceJob(queued_at=0.0, duration=1.0)]
    assert simulate_plain("crema", short, _GIVEN).paid == pytest.approx(30.0 + _GIVEN.settle)
    lagging = simulate_plain("crema", short, _GIVEN, Faults(list_lag=600.0))
    last_seen = 30.0 * ((30.0 + _READY + 600.0) // 30.0)
    assert lagging.paid == pytest.approx(last_seen + 300.0 - 30.0 + _GIVEN.settle)


def test_the_plain_rule_looks_again_though_every_webhook_is_lost() -> None:
    """The look of each minute finds the job, and later its end."""
    found = simulate_plain("quiescent", _jobs(1, apart=1.0), _GIVEN, Faults(webhooks_lost=1.0))
    assert (found.completed, found.lowering_writes) == (1, 1)


def test_samples_come_each_minute_and_of_a_long_run_less_often() -> None:
    day = simulate_plain("quiescent", _jobs(2, apart=86400.0), _GIVEN)
    assert [sample.at for sample in day.samples[:4]] == [0.0, 60.0, 120.0, 180.0]
    week = simulate_plain("quiescent", _jobs(2, apart=7 * 86400.0), _GIVEN)
    gaps = {after.at - at.at for at, after in zip(week.samples, week.samples[1:], strict=False)}
    assert len(gaps) == 1
    assert 1000 <= len(week.samples) <= 2000


def test_the_same_seed_gives_the_same_outcome_and_another_seed_other_victims() -> None:
    jobs = [TraceJob(queued_at=20.0 * place, duration=50.0 + 97.0 * (place % 13)) for place in range(300)]
    faults = Faults(preemptions_per_hour=5.0, writes_refused=0.1, writes_unanswered=0.1, webhooks_lost=0.1)
    for policy in POLICIES:
        first, again, other = (
            simulate_plain(policy, jobs, Assumptions(seed=seed), faults) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other


def test_an_empty_trace_costs_nothing() -> None:
    for policy in POLICIES:
        found = simulate_plain(policy, [], _GIVEN)
        assert (found.jobs, found.paid, found.writes, found.peak_instances) == (0, 0.0, 0, 0)


def test_a_write_on_its_way_belongs_to_the_run() -> None:
    """The sample hears of a job that a free runner has taken and done already, when the count is zero: it raises it again."""
    ends_at = _GIVEN.webhook + _READY + 100.0
    jobs = [TraceJob(queued_at=0.0, duration=100.0), TraceJob(queued_at=ends_at + 0.4, duration=0.05)]
    found = simulate_plain("google-sample", jobs, _GIVEN)
    assert found.completed == 2
    assert (found.writes, found.lowering_writes) == (4, 2)


def test_a_policy_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="'cells' is none of crema, google-sample, quiescent"):
        simulate_plain("cells", [], _GIVEN)
