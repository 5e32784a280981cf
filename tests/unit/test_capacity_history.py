"""Finished jobs become traces: when they were queued and how long they worked, by the pool that would serve them now."""

from dataclasses import replace

import pytest

from github_api.values import Job, JobStatus
from runner_pool.capacity.history import FinishedJob, History, LeftOut, history_of
from simulator.trace import TraceJob
from tests.history_jobs import LARGE, LINUX, SINCE, UNTIL, a_job, finished


def history(*jobs: FinishedJob) -> History:
    return history_of(jobs, [LINUX, LARGE], since=SINCE, until=UNTIL)


def test_a_job_is_queued_when_it_was_created_and_works_from_its_start_to_its_end() -> None:
    """Created at 100 s, begun at 130 s, ended at 190 s: it works for 60 s, and its wait of 30 s is not in the trace."""
    found = history(finished(a_job(queued=100.0, began=130.0, ended=190.0)))
    assert found.traces["linux"] == (
        TraceJob(
            queued_at=100.0,
            duration=60.0,
            labels=frozenset({"self-hosted", "linux"}),
            repository="acme/widgets",
            workflow="CI",
            job="build",
        ),
    )
    assert found.left_out == {}


@pytest.mark.parametrize(
    ("job", "public", "reason"),
    [
        (a_job(status=JobStatus.IN_PROGRESS, ended=None), False, LeftOut.NOT_ENDED),
        (a_job(queued=-1.0), False, LeftOut.EARLIER),
        # GitHub fills in `started_at` for a job that never ran.
        (
            a_job(queued=5.0, began=5.0, ended=5.0, conclusion="skipped", runner_id=None),
            False,
            LeftOut.NEVER_RAN,
        ),
        (a_job(conclusion="cancelled", runner_id=None), False, LeftOut.NEVER_RAN),
        (a_job(queued=900.0, began=130.0), False, LeftOut.SHOWN_AGAIN),
        (a_job(labels=("ubuntu-latest",), group="GitHub Actions"), False, LeftOut.HOSTED),
        (a_job(labels=("self-hosted", "windows")), False, LeftOut.NO_POOL),
        (a_job(labels=()), False, LeftOut.NO_POOL),
        (a_job(), True, LeftOut.PUBLIC),
    ],
    ids=lambda value: value.name if isinstance(value, LeftOut) else "",
)
def test_a_job_that_says_nothing_of_the_pool_is_left_out_and_counted(
    job: Job, public: bool, reason: LeftOut
) -> None:
    found = history(finished(job, public=public), finished(a_job(number=2)))
    assert found.left_out == {reason: 1}
    assert found.jobs == 1


def test_a_job_that_was_cancelled_while_it_ran_held_a_runner_and_counts() -> None:
    assert history(finished(a_job(conclusion="cancelled"))).jobs == 1


def test_a_job_on_a_hosted_runner_counts_when_a_pool_has_its_labels() -> None:
    """It would come to the pool from the next push on."""
    assert history(finished(a_job(group="GitHub Actions"))).jobs == 1


def test_each_job_goes_to_the_pool_that_would_serve_it() -> None:
    """The most specific labels win, as for queued jobs."""
    found = history(
        finished(a_job(number=1)),
        finished(a_job(number=2, labels=("self-hosted", "LARGE"), queued=50.0)),
    )
    assert {pool: len(trace) for pool, trace in found.traces.items()} == {"linux": 1, "large": 1}
    assert [job.queued_at for job in found.trace] == [50.0, 100.0]


def test_a_job_that_two_lists_show_counts_once() -> None:
    """A run can stand on two pages; the same number in another repository is another job."""
    again = finished(a_job(number=1))
    assert history(again, again, finished(a_job(number=1), repository="acme/other")).jobs == 2


def test_every_attempt_of_a_job_counts() -> None:
    """A re-run held a runner once more."""
    first = a_job(number=1, conclusion="failure")
    second = replace(a_job(number=2, queued=500.0, began=505.0, ended=560.0), run_attempt=2)
    assert [job.duration for job in history(finished(first), finished(second)).trace] == [60.0, 55.0]


def test_a_clock_that_went_back_makes_no_negative_duration() -> None:
    assert history(finished(a_job(began=130.0, ended=129.0))).trace[0].duration == 0.0


def test_a_trace_is_in_the_order_of_queueing() -> None:
    jobs = [finished(a_job(number=n, queued=q, began=q + 1, ended=q + 2)) for n, q in enumerate([9, 3, 6])]
    assert [job.queued_at for job in history(*jobs).trace] == [3.0, 6.0, 9.0]


def test_a_workflow_without_a_name_gets_one() -> None:
    """A trace file wants every value."""
    assert history(finished(a_job(workflow=None))).trace[0].workflow == "unnamed"
