"""What the demo concludes from what it saw."""

from dataclasses import replace

import pytest

from runner_pool.control_door import Job, Stop
from runner_pool.demo.verdict import Left, Verdict, verdict

NOTHING_LEFT = Left(registrations=0, instances=0, processes=0)


def job(**changes: object) -> Job:
    """A job that waited 2 s and ran for 3 s."""
    plain = Job(
        id=1,
        run_id=1,
        workflow="ci",
        name="test",
        status="completed",
        conclusion="success",
        queued_at=100.0,
        started_at=102.0,
        completed_at=105.0,
        instance="i-1",
        message=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # names are checked by replace itself


def stop(cause: str, *, busy: bool) -> Stop:
    """One stopped instance."""
    return Stop(instance="i-1", worker_pool="linux-s1-1", cause=cause, was_busy=busy)


def judged(
    *jobs: Job,
    stops: tuple[Stop, ...] = (),
    left: Left = NOTHING_LEFT,
    planned: int | None = 1,
    may_be_skipped: bool = False,
) -> Verdict:
    """The verdict on a demo of these jobs."""
    return verdict(jobs=jobs, stops=stops, left=left, planned_jobs=planned, may_be_skipped=may_be_skipped)


def test_a_clean_demo_breaks_no_promise() -> None:
    outcome = judged(job())
    assert outcome.complaints == ()
    assert (outcome.results[0].wait_seconds, outcome.results[0].run_seconds) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("name", "conclusion", "as_expected"),
    [
        ("test", "success", True),
        ("test", "failure", False),
        ("test", "skipped", False),
        ("test", "cancelled", False),
        ("test (expected to fail)", "failure", True),
        ("test (expected to fail)", "success", False),
        ("test (expected to fail)", "cancelled", False),
        ("deploy (expected to be skipped)", "skipped", True),
        ("deploy (expected to be skipped)", "success", False),
    ],
)
def test_a_job_says_in_its_name_how_it_must_end(name: str, conclusion: str, *, as_expected: bool) -> None:
    outcome = judged(job(name=name, conclusion=conclusion))
    assert outcome.results[0].as_expected is as_expected
    assert bool(outcome.complaints) is not as_expected


def test_a_users_job_may_be_skipped_and_may_not_fail() -> None:
    assert judged(job(conclusion="skipped"), may_be_skipped=True).complaints == ()
    assert judged(job(conclusion="failure"), may_be_skipped=True).complaints == (
        "1 job(s) did not end as expected",
    )


def test_a_job_that_never_ran_has_no_times() -> None:
    """A skipped job carries time stamps at GitHub, but nobody waited for it."""
    result = judged(job(name="x (expected to be skipped)", conclusion="skipped", instance=None)).results[0]
    assert (result.wait_seconds, result.run_seconds) == (None, None)


def test_only_a_scale_in_of_a_busy_instance_is_the_scalers_fault() -> None:
    stops = (
        stop("scale-in", busy=True),
        stop("scale-in", busy=False),
        stop("scale-in", busy=False),
        stop("preempted", busy=True),
    )
    outcome = judged(job(), stops=stops)
    assert (outcome.stopped_by_scaler, outcome.idle_scale_ins, outcome.stopped_otherwise) == (1, 2, 1)
    assert outcome.complaints == (
        "1 job(s) were stopped by the scaler",
        "1 job(s) were stopped by something else than the scaler",
    )


def test_a_job_that_was_never_seen_breaks_the_promise() -> None:
    assert judged(job(), planned=2).complaints == ("2 jobs were planned and 1 were seen",)
    assert judged(job(), planned=None).complaints == ()


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (replace(NOTHING_LEFT, registrations=2), "2 registration(s) were left"),
        (replace(NOTHING_LEFT, instances=1), "1 instance(s) were left"),
        (replace(NOTHING_LEFT, processes=3), "3 process(es) were left"),
    ],
)
def test_whatever_is_left_breaks_the_promise(left: Left, sentence: str) -> None:
    assert judged(job(), left=left).complaints == (sentence,)


def test_processes_found_later_are_added() -> None:
    outcome = judged(job(), left=replace(NOTHING_LEFT, processes=1)).with_more_processes_left(2)
    assert outcome.left.processes == 3
