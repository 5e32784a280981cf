"""Lists that are not to be believed: runs without jobs yet, and repositories that are empty all of a sudden."""

from __future__ import annotations

import pytest

from github_api.values import JobStatus
from scaler.run_lists import JOBS_APPEAR_SECONDS, LISTS_DOUBTED_SECONDS
from tests.factories import NOW, REPOSITORY
from tests.scaler_parts import a_github_job
from tests.unit.test_scaler_demand_watch import Watched


async def test_a_run_that_shows_no_jobs_yet_confirms_nothing() -> None:
    """GitHub lists a fresh run before its jobs; one without jobs for a minute has none."""
    it = Watched()
    it.github.runs = {(REPOSITORY, "queued"): (7,)}
    settled: list[bool] = []
    for seconds in (0.0, JOBS_APPEAR_SECONDS - 1.0, 1.0):
        it.clock.now += seconds
        await it.watch.sweep()
        settled.append(not it.reading().unsettled)
    assert settled == [False, False, True]
    it.github.runs = {(REPOSITORY, "queued"): (7, 8)}
    await it.watch.sweep()
    assert it.reading().unsettled, "another run is fresh"
    it.github.jobs[8] = (a_github_job(1),)
    await it.watch.sweep()
    assert not it.reading().unsettled


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.IN_PROGRESS])
async def test_lists_that_are_empty_all_of_a_sudden_are_not_believed_while_a_job_of_theirs_goes_on(
    status: JobStatus,
) -> None:
    """In an incident GitHub's filtered lists were empty; the last reading stays, and says why."""
    it = Watched()
    it.github.holds(a_github_job(1), a_github_job(2, JobStatus.IN_PROGRESS, runner_id=41))
    await it.watch.sweep()
    it.github.holds()
    it.github.single[1] = a_github_job(1, status)
    it.clock.now += 60.0
    await it.watch.sweep()
    assert (it.queued(), it.reading().at) == ([1], NOW)
    assert "lists no run" in it.watch.faults[REPOSITORY]
    it.github.single[1] = a_github_job(1, JobStatus.COMPLETED)
    await it.watch.sweep()
    assert (it.queued(), it.watch.faults) == ([], {})


async def test_lists_that_have_run_empty_cost_one_question_and_then_none() -> None:
    """The jobs have ended, or were deleted: both are what an empty list says."""
    it = Watched()
    for single in ({1: a_github_job(1, JobStatus.COMPLETED)}, {}):
        it.github.holds(a_github_job(1))
        await it.watch.sweep()
        it.github.holds()
        it.github.single = dict(single)
        it.github.reads.clear()
        for _ in range(3):
            await it.watch.sweep()
        assert (it.queued(), it.github.reads["job 1"]) == ([], 1)


async def test_a_job_that_github_never_ends_does_not_keep_a_reading_for_ever() -> None:
    it = Watched()
    it.github.holds(a_github_job(1))
    await it.watch.sweep()
    it.github.holds()
    it.github.single[1] = a_github_job(1)
    for seconds in (1.0, LISTS_DOUBTED_SECONDS):
        it.clock.now += seconds
        await it.watch.sweep()
    assert it.queued() == [1]
    it.clock.now += 1.0
    await it.watch.sweep()
    assert (it.queued(), it.watch.faults) == ([], {})
