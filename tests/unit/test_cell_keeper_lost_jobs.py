"""Every job that did not end by itself is told with its one cause, with its id, and with GitHub's own word for its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.record import Lease
from github_api.errors import Unavailable
from github_api.values import Job, JobStatus
from scaler.core.model import LeaseState
from scaler.lease_ends import LeaseOutcome, StopCause
from tests.factories import NOW, REPOSITORY, a_record, a_worker_pool
from tests.scaler_parts import a_github_job
from tests.unit.test_cell_keeper import CELL, LISTENING, SERVING, SUSPECT, KeeperWorld


def completed(conclusion: str | None) -> Job:
    """The job of SERVING, completed by its runner."""
    job = a_github_job(
        70, JobStatus.COMPLETED, runner_id=7, runner_name=SERVING.runner_name, completed_at=NOW
    )
    return replace(job, conclusion=conclusion)


@pytest.mark.parametrize(
    ("conclusion", "outcome", "cause"),
    [
        ("success", LeaseOutcome.FINISHED, None),
        ("skipped", LeaseOutcome.FINISHED, None),
        ("failure", LeaseOutcome.LOST, StopCause.EXTERNAL),
        ("cancelled", LeaseOutcome.LOST, StopCause.EXTERNAL),
        ("timed_out", LeaseOutcome.LOST, StopCause.EXTERNAL),
    ],
)
async def test_a_job_that_failed_while_its_instance_was_silent_is_lost_with_githubs_word(
    conclusion: str, outcome: LeaseOutcome, cause: StopCause | None
) -> None:
    """It is not called finished only because GitHub has given it up."""
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.github.jobs[70] = completed(conclusion)
    await world.keep(after=SUSPECT)
    (told,) = world.told.events
    assert (told.outcome, told.cause, told.conclusion) == (outcome, cause, conclusion)
    assert (told.job_id, told.repository, told.runner) == (70, REPOSITORY, SERVING.runner_name)
    assert conclusion in told.why
    assert world.record is not None
    assert world.record.served_at == SERVING.started_at
    # A canary's verdict asks for it.
    assert world.record.lost_at == (SERVING.started_at if outcome is LeaseOutcome.LOST else 0.0)


async def test_a_failure_that_the_instance_has_told_of_before_it_fell_silent_is_the_jobs_own() -> None:
    """Its steps failed, and only the good-bye was lost."""
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.github.jobs[70] = completed("failure")
    world.instances.hear(lease="lease-1", cell=CELL, state=LeaseState.COMPLETED, seq=1, job="build")
    await world.keep(after=SUSPECT)
    assert [(told.outcome, told.cause) for told in world.told.events] == [(LeaseOutcome.FINISHED, None)]


async def test_in_direct_mode_silence_is_no_sign_of_a_lost_job() -> None:
    """Nobody speaks there."""
    world = KeeperWorld(a_record(leases=[SERVING]), direct=True)
    world.github.jobs[70] = completed("failure")
    await world.keep(after=SUSPECT)
    (told,) = world.told.events
    assert (told.outcome, told.cause, told.conclusion) == (LeaseOutcome.FINISHED, None, "failure")


DYING = replace(SERVING, dying_until=NOW - 1.0)


@pytest.mark.parametrize(
    ("lease", "count", "outcome", "cause"),
    [
        (replace(SERVING, hard_end=NOW - 1.0), 1, LeaseOutcome.LOST, StopCause.EXTERNAL),
        (DYING, 1, LeaseOutcome.PREEMPTED, StopCause.PREEMPTED),
        (DYING, 0, LeaseOutcome.PREEMPTED, StopCause.EXTERNAL),
    ],
    ids=["hard end", "preempted", "the pool was set to zero by another hand"],
)
async def test_a_job_that_ended_with_its_instance_is_told_with_its_cause_and_githubs_word(
    lease: Lease, count: int, outcome: LeaseOutcome, cause: StopCause
) -> None:
    """In one line; the question to GitHub is asked beside the tick."""
    world = KeeperWorld(a_record(leases=[lease]), a_worker_pool(CELL, count=count))
    world.github.jobs[70] = completed("failure")
    await world.keep(after=SUSPECT + 1)
    (told,) = world.told.events
    assert (told.outcome, told.cause, told.conclusion) == (outcome, cause, "failure")
    assert (told.job_id, told.repository) == (70, REPOSITORY)


async def test_a_lost_job_is_told_even_if_github_does_not_answer() -> None:
    """Its conclusion is what is missing then."""
    world = KeeperWorld(a_record(leases=[DYING]))
    world.github.fails["job"] = Unavailable("no answer")
    await world.keep(after=SUSPECT + 1)
    (told,) = world.told.events
    assert (told.cause, told.conclusion) == (StopCause.PREEMPTED, None)


@pytest.mark.parametrize(
    ("state", "job", "cause"),
    [
        (LeaseState.DYING, None, None),
        (LeaseState.DYING, "build", StopCause.PREEMPTED),
        (None, None, StopCause.PREEMPTED),
    ],
    ids=["it said that it had none", "it named it", "nothing was heard"],
)
async def test_a_preempted_instance_stops_a_job_unless_it_is_known_to_have_had_none(
    state: LeaseState | None, job: str | None, cause: StopCause | None
) -> None:
    lease = replace(LISTENING, dying_until=NOW - 1.0)
    world = KeeperWorld(a_record(leases=[lease]))
    if state is not None:
        world.instances.hear(lease="lease-1", cell=CELL, state=state, seq=1, job=job)
    await world.keep(after=1.0)
    assert [told.cause for told in world.told.events] == [cause]
    assert [told.job for told in world.told.events] == [job]


async def test_jobs_of_a_deleted_worker_pool_are_told_as_stopped_from_outside() -> None:
    """They went with it."""
    world = KeeperWorld(a_record(leases=[SERVING], uid="the old one"), a_worker_pool(CELL, count=0))
    world.github.jobs[70] = completed("failure")
    await world.keep()
    assert [(told.lease, told.outcome, told.cause) for told in world.told.events] == [
        ("lease-1", LeaseOutcome.LOST, StopCause.EXTERNAL)
    ]
