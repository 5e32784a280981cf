"""What GitHub calls a stopped job in the end: asked until it says so, told once, given up after twenty minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from github_api.errors import Unavailable
from github_api.values import JobStatus
from scaler.budget import MinuteBudget
from scaler.conclusions import AGAIN_SECONDS, FIRST_SECONDS, LAST_SECONDS, PENDING_MOST, Conclusions
from scaler.lease_ends import LeaseEnded, LeaseOutcome, StopCause
from scaler.observability import Journal
from scaler.registrar import Registrar
from tests.factories import NOW, REPOSITORY
from tests.scaler_parts import Clock, RegistrationsOfGitHub, a_github_job, records_of

PREEMPTED = LeaseEnded(
    pool="linux",
    cell="linux-a",
    lease="lease-1",
    outcome=LeaseOutcome.PREEMPTED,
    why="its instance was preempted",
    cause=StopCause.PREEMPTED,
    runner="runner-1",
    job="build",
    job_id=70,
    repository=REPOSITORY,
)


class Waiting:
    """A GitHub that concludes job 70 when a test says so."""

    def __init__(self, *events: LeaseEnded) -> None:
        self.clock = Clock()
        self.github = RegistrationsOfGitHub()
        self.github.jobs[70] = a_github_job(70, JobStatus.IN_PROGRESS, runner_id=7, runner_name="runner-1")
        self.told: list[LeaseEnded] = []
        registrar = Registrar(
            self.github, records_of(), budget=MinuteBudget(1), jit_call_seconds=15.0, clock=self.clock
        )
        self.conclusions = Conclusions(registrar, told=self.told.append, clock=self.clock)
        for event in events:
            self.conclusions.wait_for(event)

    def concludes(self, conclusion: str) -> None:
        """The job ends."""
        ended = replace(self.github.jobs[70], status=JobStatus.COMPLETED, completed_at=NOW)
        self.github.jobs[70] = replace(ended, conclusion=conclusion)

    async def look(self, *, after: float) -> list[str | None]:
        """What is told at a tick so much later."""
        self.clock.now += after
        before = len(self.told)
        self.conclusions.look()
        await self.conclusions.settle()
        return [event.conclusion for event in self.told[before:]]


async def test_a_stopped_job_is_asked_about_until_github_concludes_it() -> None:
    it = Waiting(PREEMPTED)
    assert await it.look(after=FIRST_SECONDS) == []
    it.concludes("failure")
    assert await it.look(after=AGAIN_SECONDS - 1.0) == []
    assert await it.look(after=1.0) == ["failure"]
    assert await it.look(after=AGAIN_SECONDS) == []
    assert it.told == [replace(PREEMPTED, conclusion="failure")]


@pytest.mark.parametrize(
    "event",
    [
        replace(PREEMPTED, cause=None),
        replace(PREEMPTED, conclusion="failure"),
        replace(PREEMPTED, job_id=None),
    ],
    ids=["not stopped", "concluded", "without an id"],
)
async def test_only_a_stopped_job_that_can_be_asked_about_is_waited_for(event: LeaseEnded) -> None:
    it = Waiting(event)
    it.concludes("failure")
    assert await it.look(after=FIRST_SECONDS) == []


async def test_github_that_does_not_answer_is_asked_again() -> None:
    it = Waiting(PREEMPTED)
    it.github.fails["job"] = Unavailable("no answer")
    assert await it.look(after=FIRST_SECONDS) == []
    it.github.fails.clear()
    it.concludes("cancelled")
    assert await it.look(after=AGAIN_SECONDS) == ["cancelled"]


async def test_a_job_that_github_never_concludes_is_given_up() -> None:
    it = Waiting(PREEMPTED)
    await it.look(after=LAST_SECONDS + 1.0)
    it.concludes("failure")
    assert await it.look(after=AGAIN_SECONDS) == []


async def test_of_very_many_stopped_jobs_the_youngest_are_waited_for() -> None:
    it = Waiting(*(replace(PREEMPTED, lease=f"lease-{number}") for number in range(PENDING_MOST + 5)))
    it.concludes("failure")
    await it.look(after=FIRST_SECONDS)
    assert [event.lease for event in it.told] == [f"lease-{5 + n}" for n in range(PENDING_MOST)]


async def test_the_journal_hands_ends_on_and_tells_the_conclusion() -> None:
    journal, handed = Journal(), list[LeaseEnded]()
    journal.on_ended = handed.append
    with capture_logs() as logged:
        journal.ended(PREEMPTED)
        journal.removed(PREEMPTED)
        journal.concluded(replace(PREEMPTED, conclusion="failure"))
    assert handed == [PREEMPTED] * 2
    assert (logged[-1]["event"], logged[-1]["conclusion"], logged[-1]["cause"]) == (
        "job_concluded",
        "failure",
        "preempted",
    )
