"""Google's sample: one more for each job queued, lost where two calls overlap; zero when the repository is quiet."""

from __future__ import annotations

import pytest

from simulator.assumptions import Assumptions
from simulator.baselines import google_sample
from simulator.baselines.google_sample import Action, Settings, Webhook, next_count
from simulator.faults import Faults
from simulator.outcome import Outcome
from simulator.plain_pool import simulate_plain
from simulator.trace import TraceJob

_GIVEN = Assumptions(write=0.3, webhook=0.5, writes_per_minute=6000)
_QUEUED = Webhook(action=Action.QUEUED)
_COMPLETED = Webhook(action=Action.COMPLETED)


def _outcome(jobs: list[TraceJob], given: Assumptions = _GIVEN, faults: Faults | None = None) -> Outcome:
    return simulate_plain("google-sample", jobs, given, faults or Faults())


@pytest.mark.parametrize(("count", "written"), [(0, 1), (3, 4), (4, 5), (5, None), (9, None)])
def test_a_queued_job_adds_one_below_the_limit_of_five(count: int, written: int | None) -> None:
    assert next_count(Settings(), _QUEUED, count=count, open_runs=count) == written


@pytest.mark.parametrize(
    "labels", [frozenset[str](), frozenset({"ubuntu-latest"}), frozenset({"self-hosted", "gpu"})]
)
def test_no_label_keeps_a_job_from_adding_a_runner(labels: frozenset[str]) -> None:
    """The sample has no filter: jobs for GitHub's own runners raise the count, too."""
    webhook = Webhook(action=Action.QUEUED, labels=labels)
    assert next_count(Settings(), webhook, count=2, open_runs=1) == 3


def test_jobs_for_hosted_runners_raise_the_count_in_the_simulated_world() -> None:
    jobs = [
        TraceJob(queued_at=10.0 * number, duration=5.0, labels=frozenset({"ubuntu-latest"}))
        for number in range(3)
    ]
    assert _outcome(jobs).peak_instances > 0


@pytest.mark.parametrize(
    ("count", "open_runs", "written"), [(10, 1, None), (10, 30, None), (10, 0, 0), (0, 0, 0)]
)
def test_a_completed_job_lowers_to_zero_or_not_at_all(
    count: int, open_runs: int, written: int | None
) -> None:
    assert next_count(Settings(), _COMPLETED, count=count, open_runs=open_runs) == written


@pytest.mark.parametrize("count", [0, 3])
def test_a_job_that_begins_changes_nothing(count: int) -> None:
    webhook = Webhook(action=Action.IN_PROGRESS)
    assert next_count(google_sample.Settings(), webhook, count=count, open_runs=1) is None


@pytest.mark.parametrize(
    ("apart", "instances"),
    [(0.0, 1), (0.05, 2), (0.29, 5), (0.31, 10), (5.0, 10)],
)
def test_calls_that_overlap_lose_their_increments(apart: float, instances: int) -> None:
    """A write takes 0.3 seconds, and all who read in that time write the same number: ten jobs, so many instances."""
    jobs = [TraceJob(queued_at=apart * number, duration=600.0) for number in range(10)]
    assert _outcome(jobs).peak_instances == instances


def test_jobs_whose_increments_were_lost_wait_for_the_few_runners_that_came() -> None:
    """Runners stay after a job: ten jobs queued at once run one after another, on one registration."""
    found = _outcome([TraceJob(queued_at=0.0, duration=100.0) for _ in range(10)])
    assert (found.completed, found.peak_instances, found.registrations) == (10, 1, 1)
    first = 0.5 + 0.3 + _GIVEN.start + _GIVEN.registration
    assert found.waits == pytest.approx([first + 100.0 * place for place in range(10)])


def test_ten_runners_stay_until_the_whole_repository_is_quiet() -> None:
    """Nine short jobs and a long one: ten are paid for until the long one's end, and then none."""
    jobs = [TraceJob(queued_at=1.0 * number, duration=60.0) for number in range(9)]
    found = _outcome([*jobs, TraceJob(queued_at=9.0, duration=3000.0)])
    counts = [sample.instances for sample in found.samples if 60.0 <= sample.at <= 3000.0]
    assert set(counts) == {10}
    assert (found.killed, found.lowering_writes) == (0, 1)
    assert found.paid > 10 * 3000.0


def test_a_job_that_a_runner_takes_while_the_count_is_lowered_is_killed() -> None:
    """The function has read a quiet repository and writes zero; the job comes before the write does."""
    first = TraceJob(queued_at=0.0, duration=100.0)
    ends_at = 0.5 + 0.3 + _GIVEN.start + _GIVEN.registration + 100.0
    found = _outcome([first, TraceJob(queued_at=ends_at + 0.6, duration=100.0)])
    assert (found.completed, found.killed) == (1, 1)


def test_a_lost_webhook_leaves_a_job_that_never_runs() -> None:
    """Nobody looks again: the job stays queued, and is in none of the endings."""
    found = _outcome([TraceJob(queued_at=0.0, duration=10.0)], faults=Faults(webhooks_lost=1.0))
    assert (found.jobs, found.completed, found.killed, found.lost) == (1, 0, 0, 0)
    assert (len(found.waits), found.writes) == (0, 0)


def test_a_refused_write_is_an_increment_less() -> None:
    """Two writes a minute, five jobs: three calls fail and are not made again."""
    given = Assumptions(write=0.3, writes_per_minute=2)
    found = _outcome([TraceJob(queued_at=1.0 * number, duration=600.0) for number in range(5)], given)
    assert found.peak_instances == 2
    assert found.completed == 5


def test_a_list_that_lags_keeps_the_runners_of_a_short_job() -> None:
    """The run is still listed when its last job's end is heard, and no other webhook will come."""
    short = [TraceJob(queued_at=0.0, duration=5.0)]
    assert _outcome(short).lowering_writes == 1
    lagging = _outcome(short, faults=Faults(list_lag=60.0))
    assert lagging.lowering_writes == 0
    assert lagging.paid > 3600.0
