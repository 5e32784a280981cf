"""Reading GitHub's queue: what counts, whose reading it is, and that one bad repository harms no other."""

from __future__ import annotations

import asyncio

import pytest

from github_api.errors import GitHubError, Moved, NotFound, PermissionDenied, Unavailable
from github_api.values import JobStatus
from scaler.core.model import RepositoryReading
from scaler.demand_watch import (
    QUIET_AFTER_SECONDS,
    REPOSITORIES_AT_ONCE,
    REPOSITORIES_SECONDS,
    DemandWatch,
    StartedJob,
)
from tests.factories import NOW, REPOSITORY
from tests.scaler_parts import Clock, QueueOfGitHub, a_few_turns, a_github_job, until

GADGETS = "acme/gadgets"


class Watched:
    """A watch, its GitHub, its clock, and what it told."""

    def __init__(self, *, only: frozenset[str] = frozenset(), idle_every_sweeps: int = 1) -> None:
        self.clock = Clock()
        self.github = QueueOfGitHub()
        self.readings = 0
        self.started: list[StartedJob] = []
        self.watch = DemandWatch(
            self.github,
            only=only,
            clock=self.clock,
            on_reading=self._read,
            on_started=self.started.append,
            idle_every_sweeps=idle_every_sweeps,
        )

    def _read(self) -> None:
        self.readings += 1

    def reading(self, repository: str = REPOSITORY) -> RepositoryReading:
        return self.watch.seen().repositories[repository]

    def queued(self, repository: str = REPOSITORY) -> list[int]:
        return [job.id for job in self.reading(repository).queued]


async def test_the_jobs_of_queued_and_running_runs_are_read_each_run_once() -> None:
    """A run in progress holds queued jobs, and a run may change its status between the two lists."""
    it = Watched()
    it.github.runs = {(REPOSITORY, "queued"): (7, 8), (REPOSITORY, "in_progress"): (8, 9)}
    it.github.jobs = {
        run: (a_github_job(10 * run), a_github_job(10 * run + 1, JobStatus.COMPLETED)) for run in (7, 8, 9)
    }
    await it.watch.sweep()
    assert it.queued() == [70, 80, 90]
    assert it.github.pages == {7: 1, 8: 1, 9: 1}


async def test_only_queued_jobs_are_demand() -> None:
    """Waiting is a protection rule, pending a concurrency group: no runner could take such a job."""
    it = Watched()
    it.github.holds(*(a_github_job(number, status) for number, status in enumerate(JobStatus, start=1)))
    await it.watch.sweep()
    assert it.queued() == [1 + list(JobStatus).index(JobStatus.QUEUED)]


async def test_a_queued_job_carries_what_a_decision_needs() -> None:
    it = Watched()
    it.github.visible = {REPOSITORY: False}
    it.github.holds(a_github_job(labels=("Self-Hosted", "GPU"), created_at=NOW - 77.0))
    await it.watch.sweep()
    (job,) = it.reading().queued
    assert (job.labels, job.queued_at, job.public) == (frozenset({"self-hosted", "gpu"}), NOW - 77.0, True)


async def test_a_running_job_is_told_with_its_runner() -> None:
    it = Watched()
    it.github.holds(
        a_github_job(1, JobStatus.IN_PROGRESS, runner_id=41, created_at=NOW - 50, started_at=NOW - 9),
        a_github_job(2, JobStatus.IN_PROGRESS, runner_id=None, started_at=NOW - 9),
    )
    await it.watch.sweep()
    assert it.reading().running == {41: 1}
    assert it.started == [StartedJob(job_id=1, runner_id=41, created_at=NOW - 50, started_at=NOW - 9)]
    assert it.readings == 1


async def test_a_reading_is_as_old_as_its_beginning() -> None:
    """What happened while it was read may be missing in it."""
    it = Watched()
    release = asyncio.Event()
    it.github.gate = lambda _: release
    sweep = asyncio.create_task(it.watch.sweep())
    await until(lambda: bool(it.github.under_way), seen=lambda: it.github.reads)
    it.clock.now += 7.0
    release.set()
    await sweep
    assert it.reading().at == NOW


async def test_a_repository_that_fails_keeps_its_last_reading_and_says_why() -> None:
    """Unknown is not zero."""
    it = Watched()
    it.github.holds(a_github_job(1))
    await it.watch.sweep()
    it.github.holds()
    it.github.fails[REPOSITORY] = Unavailable("GitHub did not answer")
    it.clock.now += 60.0
    await it.watch.sweep()
    assert (it.queued(), it.reading().at) == ([1], NOW)
    assert "GitHub did not answer" in it.watch.faults[REPOSITORY]
    del it.github.fails[REPOSITORY]
    await it.watch.sweep()
    assert (it.queued(), it.watch.faults) == ([], {})


async def test_a_run_whose_jobs_cannot_be_read_fails_the_whole_reading() -> None:
    """Half a queue would look like less demand."""
    it = Watched()
    it.github.runs = {(REPOSITORY, "queued"): (8, 9)}
    it.github.jobs = {8: (a_github_job(1),), 9: (a_github_job(2),)}
    await it.watch.sweep()
    it.github.fails[9] = Unavailable("page 2 is missing")
    it.clock.now += 60.0
    await it.watch.sweep()
    assert it.queued() == [1, 2]
    assert "page 2 is missing" in it.watch.faults[REPOSITORY]


@pytest.mark.parametrize("failure", [Unavailable("x"), NotFound("x"), PermissionDenied("x"), Moved("x")])
async def test_a_bad_repository_does_not_keep_the_others_from_being_read(failure: GitHubError) -> None:
    it = Watched()
    it.github.visible = {"acme/bad": True, REPOSITORY: True, GADGETS: True}
    it.github.fails["acme/bad"] = failure
    for repository in (REPOSITORY, GADGETS):
        it.github.holds(a_github_job(len(repository)), repository=repository)
    await it.watch.sweep()
    assert (it.queued(), it.queued(GADGETS)) == ([len(REPOSITORY)], [len(GADGETS)])
    assert set(it.watch.faults) == {"acme/bad"}


@pytest.mark.parametrize(
    ("failure", "complete"),
    [
        (Unavailable("it may come back"), False),
        (NotFound("it is hidden from the App"), True),
        (PermissionDenied("the App may not read it"), True),
        (Moved("it was renamed"), True),
    ],
)
async def test_demand_is_complete_when_each_repository_was_read_or_will_never_be(
    failure: GitHubError, complete: bool
) -> None:
    """One repository that nobody can read must not keep every cell open for ever."""
    it = Watched()
    it.github.visible = {"acme/bad": True, REPOSITORY: True}
    it.github.fails["acme/bad"] = failure
    assert not it.watch.seen().complete
    await it.watch.sweep()
    assert it.watch.seen().complete is complete


async def test_a_repository_that_can_be_read_again_counts_again() -> None:
    it = Watched()
    it.github.fails[REPOSITORY] = PermissionDenied("suspended")
    await it.watch.sweep()
    assert it.watch.seen().complete
    del it.github.fails[REPOSITORY]
    it.github.holds(a_github_job(3))
    await it.watch.sweep()
    assert it.queued() == [3]
    assert it.watch.seen().complete


async def test_a_repository_that_left_and_came_back_is_unknown_until_it_is_read() -> None:
    """That it was refused once is no reason to decide without it."""
    it = Watched()
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    it.github.fails[GADGETS] = PermissionDenied("suspended")
    await it.watch.sweep()
    it.github.fails = {}
    await it.watch.sweep()
    for visible in ({REPOSITORY: True}, {REPOSITORY: True, GADGETS: True}):
        it.github.visible = visible
        it.github.fails[GADGETS] = Unavailable("no answer")
        it.clock.now += REPOSITORIES_SECONDS
        await it.watch.sweep()
    assert not it.watch.seen().complete


async def test_an_installation_that_cannot_be_listed_leaves_demand_unknown() -> None:
    it = Watched()
    it.github.fails["installation"] = Unavailable("no answer")
    await it.watch.sweep()
    assert not it.watch.seen().complete
    assert "no answer" in it.watch.faults["installation"]
    del it.github.fails["installation"]
    await it.watch.sweep()
    assert (it.watch.seen().complete, it.watch.faults) == (True, {})


async def test_the_list_of_repositories_is_read_again_when_it_is_old() -> None:
    it = Watched()
    await it.watch.sweep()
    it.clock.now += REPOSITORIES_SECONDS - 1
    await it.watch.sweep()
    assert it.github.reads["installation"] == 1
    it.clock.now += 1
    await it.watch.sweep()
    assert it.github.reads["installation"] == 2


async def test_a_repository_without_jobs_is_quiet_only_after_a_while() -> None:
    """Also one that never had a job while we looked; a single job makes it loud again."""
    it = Watched()
    heard: list[bool] = []
    for seconds in (0.0, QUIET_AFTER_SECONDS, 1.0):
        it.clock.now += seconds
        await it.watch.look(REPOSITORY)
        heard.append(it.reading().quiet)
    it.github.holds(a_github_job(1, JobStatus.IN_PROGRESS))
    await it.watch.look(REPOSITORY)
    heard.append(it.reading().quiet)
    it.github.holds()
    for seconds in (QUIET_AFTER_SECONDS, 1.0):
        it.clock.now += seconds
        await it.watch.look(REPOSITORY)
        heard.append(it.reading().quiet)
    assert heard == [False, False, True, False, False, True]


async def test_looks_asked_for_during_a_look_are_one_more_look() -> None:
    """The one under way may have begun before what they are about; a second one is enough for all of them."""
    it = Watched()
    await it.watch.sweep()
    release = asyncio.Event()
    it.github.gate = lambda _: release
    first = asyncio.create_task(it.watch.look(REPOSITORY))
    await until(lambda: bool(it.github.under_way), seen=lambda: it.github.reads)
    others = [asyncio.create_task(it.watch.look(REPOSITORY)) for _ in range(5)]
    await a_few_turns()
    it.github.holds(a_github_job(5))
    release.set()
    await asyncio.gather(first, *others)
    assert it.github.reads[f"{REPOSITORY} in_progress"] == 1 + 2
    assert it.queued() == [5]


@pytest.mark.parametrize("gives_up", [0, 1, 2])
async def test_a_caller_who_gives_up_does_not_end_the_look_of_the_others(gives_up: int) -> None:
    it = Watched()
    await it.watch.sweep()
    release = asyncio.Event()
    it.github.gate = lambda _: release
    callers = [asyncio.create_task(it.watch.look(REPOSITORY)) for _ in range(3)]
    await until(lambda: bool(it.github.under_way), seen=lambda: it.github.reads)
    callers.pop(gives_up).cancel()
    await a_few_turns()
    it.github.holds(a_github_job(5))
    release.set()
    await asyncio.gather(*callers)
    assert it.queued() == [5]


async def test_only_so_many_repositories_are_read_at_once() -> None:
    it = Watched()
    it.github.visible = {f"acme/r{number}": True for number in range(3 * REPOSITORIES_AT_ONCE)}
    release = asyncio.Event()
    it.github.gate = lambda _: release
    sweep = asyncio.create_task(it.watch.sweep())
    await until(lambda: len(it.github.under_way) == REPOSITORIES_AT_ONCE, seen=lambda: it.github.under_way)
    release.set()
    await sweep
    assert it.github.most_under_way == REPOSITORIES_AT_ONCE
    assert len(it.watch.seen().repositories) == 3 * REPOSITORIES_AT_ONCE


async def test_only_the_configured_repositories_are_read() -> None:
    it = Watched(only=frozenset({GADGETS}))
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    await it.watch.sweep()
    await it.watch.look(REPOSITORY)
    assert set(it.watch.seen().repositories) == {GADGETS}
    assert it.watch.seen().complete


async def test_names_are_compared_without_regard_to_case() -> None:
    """GitHub does so too: a configuration in another case means the same repository."""
    it = Watched(only=frozenset({"ACME/Widgets"}))
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    await it.watch.sweep()
    assert set(it.watch.repositories) == {REPOSITORY}
    assert it.watch.faults == {}
    it.github.holds(a_github_job(4))
    await it.watch.look("Acme/WIDGETS")
    assert it.queued() == [4]
    assert set(it.watch.seen().repositories) == {REPOSITORY}


async def test_a_configured_repository_that_is_not_visible_is_named_until_it_is() -> None:
    it = Watched(only=frozenset({REPOSITORY, "Acme/Hidden"}))
    await it.watch.sweep()
    assert "cannot see it" in it.watch.faults["Acme/Hidden"]
    assert it.watch.seen().complete
    it.github.visible["acme/hidden"] = True
    it.clock.now += REPOSITORIES_SECONDS
    await it.watch.sweep()
    assert it.watch.faults == {}
    assert "acme/hidden" in it.watch.seen().repositories


async def test_a_repository_that_has_left_the_installation_is_forgotten_with_its_fault() -> None:
    it = Watched()
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    it.github.holds(a_github_job(1), repository=GADGETS)
    await it.watch.sweep()
    it.github.fails[GADGETS] = NotFound("gone")
    await it.watch.look(GADGETS)
    assert set(it.watch.faults) == {GADGETS}
    del it.github.visible[GADGETS]
    it.clock.now += REPOSITORIES_SECONDS
    await it.watch.sweep()
    assert set(it.watch.seen().repositories) == {REPOSITORY}
    assert it.watch.faults == {}


async def test_a_repository_that_leaves_while_it_is_read_is_no_defect() -> None:
    """A cron's sweep may list the installation while a webhook's look is under way."""
    it = Watched()
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    await it.watch.sweep()
    release = asyncio.Event()
    it.github.gate = lambda repository: release if repository == GADGETS else None
    look = asyncio.create_task(it.watch.look(GADGETS))
    await until(lambda: GADGETS in it.github.under_way, seen=lambda: it.github.reads)
    del it.github.visible[GADGETS]
    it.clock.now += REPOSITORIES_SECONDS
    await it.watch.sweep()
    release.set()
    await look
    assert set(it.watch.seen().repositories) == {REPOSITORY}
