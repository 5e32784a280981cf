"""Reads GitHub's queue: one repository when a signal names it, all of them on a sweep. Keeps the last
successful reading of each.

A reading that fails changes nothing but the list of faults; one bad repository never keeps another from being
read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from github_api.errors import GitHubError, Moved, NotFound, PermissionDenied
from github_api.values import Job, JobStatus, Repository, WorkflowRun
from scaler.core.model import DemandSeen, QueuedJob, RepositoryReading
from scaler.run_lists import RunLists

# How long a repository without queued or running jobs is still looked at twice before its silence is
# believed.
QUIET_AFTER_SECONDS = 600.0

# Runs whose jobs may be queued: an in_progress run holds queued jobs, and a queued run may have running ones.
# https://docs.github.com/en/rest/actions/workflow-runs
RUN_STATUSES = ("queued", "in_progress")

# Repositories read at once; the client's own limit on requests stands below it.
REPOSITORIES_AT_ONCE = 8

# How long the list of the installation's repositories is good for.
REPOSITORIES_SECONDS = 600.0


class Queue(Protocol):
    """What this module needs of GitHub."""

    async def repositories(self) -> tuple[Repository, ...]:
        """The repositories the installation may see."""

    async def workflow_runs(self, repository: str, *, status: str) -> tuple[WorkflowRun, ...]:
        """All runs of that status."""

    async def jobs_of_run(self, repository: str, run_id: int) -> tuple[Job, ...]:
        """All jobs of a run."""

    async def job(self, repository: str, job_id: int) -> Job:
        """One job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedJob:
    """A job that a reading showed in progress on a runner; times are seconds since the epoch."""

    job_id: int
    runner_id: int
    created_at: float
    started_at: float


@dataclass(slots=True)
class _Looks:
    """Looks at one repository that are under way or asked for."""

    running: asyncio.Task[None] | None = None
    again: bool = False


@dataclass(slots=True)
class _Known:
    repositories: dict[str, Repository] = field(default_factory=dict)
    listed_at: float | None = None


class DemandWatch:
    """The last reading of every repository, and who is to be told of a new one."""

    def __init__(
        self,
        github: Queue,
        *,
        only: frozenset[str],
        clock: Callable[[], float],
        on_reading: Callable[[], None],
        on_started: Callable[[StartedJob], None],
    ) -> None:
        """`only`: repositories to read (`owner/name`, in any case); empty means all that the installation can see."""
        self._github = github
        self._only = only
        self._clock = clock
        self._on_reading = on_reading
        self._on_started = on_started
        self._known = _Known()
        self._readings: dict[str, RepositoryReading] = {}
        self._refused: set[str] = set()
        self._active_at: dict[str, float] = {}
        self._looks: dict[str, _Looks] = {}
        self._slots = asyncio.Semaphore(REPOSITORIES_AT_ONCE)
        self._lists = RunLists()
        self.faults: dict[str, str] = {}

    def seen(self) -> DemandSeen:
        """The last reading of each repository. Complete once each has been read, or is known not to be
        readable.
        """
        wanted = set(self._known.repositories) - self._refused
        complete = self._known.listed_at is not None and wanted <= set(self._readings)
        return DemandSeen(repositories=dict(self._readings), complete=complete)

    @property
    def repositories(self) -> Mapping[str, Repository]:
        """The repositories that are looked at."""
        return self._known.repositories

    async def sweep(self) -> None:
        """Look at every repository once."""
        await self._list_repositories()
        await asyncio.gather(*(self.look(name) for name in self._known.repositories))

    async def look(self, repository: str) -> None:
        """Look at one repository; a look asked for while one is under way is followed by exactly one more."""
        name = self._name_of(repository)
        if name is None:
            await self._list_repositories()
            name = self._name_of(repository)
            if name is None:
                return
        looks = self._looks.setdefault(name, _Looks())
        if looks.running is not None:
            looks.again = True
            await asyncio.shield(looks.running)
            return
        looks.running = asyncio.ensure_future(self._look_until_done(name, looks))
        await asyncio.shield(looks.running)

    async def _look_until_done(self, repository: str, looks: _Looks) -> None:
        try:
            while True:
                looks.again = False
                async with self._slots:
                    await self._read(repository)
                if not looks.again:
                    return
        finally:
            looks.running = None

    def _name_of(self, repository: str) -> str | None:
        """The name as GitHub writes it of a repository that is looked at."""
        known = self._known.repositories
        if repository in known:
            return repository
        return next((name for name in known if name.lower() == repository.lower()), None)

    async def _list_repositories(self) -> None:
        listed_at = self._known.listed_at
        if listed_at is not None and self._clock() < listed_at + REPOSITORIES_SECONDS:
            return
        try:
            visible = {repository.full_name: repository for repository in await self._github.repositories()}
        except GitHubError as error:
            self.faults["installation"] = str(error)
            return
        # GitHub ignores case in names; its own lists and webhooks all write them in one way.
        as_written = {name.lower(): name for name in visible}
        wanted = frozenset(name.lower() for name in self._only) or frozenset(as_written)
        found = sorted(as_written[name] for name in wanted & set(as_written))
        self._known = _Known({name: visible[name] for name in found}, self._clock())
        self.faults = {name: fault for name, fault in self.faults.items() if name in self._known.repositories}
        for missing in sorted(name for name in self._only if name.lower() not in as_written):
            self.faults[missing] = (
                f"{missing} is configured, but the App's installation cannot see it. Add it to the installation's "
                "repositories, or correct github.repositories."
            )
        for gone in set(self._readings) - set(self._known.repositories):
            del self._readings[gone]

    async def _read(self, repository: str) -> None:
        begun = self._clock()
        try:
            runs: dict[int, WorkflowRun] = {}
            for status in RUN_STATUSES:
                runs |= {run.id: run for run in await self._github.workflow_runs(repository, status=status)}
            pages = await asyncio.gather(*(self._github.jobs_of_run(repository, run) for run in sorted(runs)))
            doubt = None if runs else await self._doubt(repository, now=begun)
        except GitHubError as error:
            self.faults[repository] = str(error)
            if isinstance(error, NotFound | PermissionDenied | Moved):
                # Not ours to read (any more), so its jobs are not ours to serve.
                self._refused.add(repository)
                self._readings.pop(repository, None)
            return
        self._refused.discard(repository)
        if doubt is not None:
            self.faults[repository] = doubt
            return
        self.faults.pop(repository, None)
        if runs:
            self._lists.believe(repository)
        jobless = [run for run, page in zip(sorted(runs), pages, strict=True) if not page]
        unsettled = self._lists.unsettled(repository, jobless, now=begun)
        self._take(repository, [job for page in pages for job in page], begun=begun, unsettled=unsettled)

    async def _doubt(self, repository: str, *, now: float) -> str | None:
        """What is wrong with lists that show no run any more: lists have been empty in an incident."""
        job_id = self._lists.witness(repository, self._readings.get(repository), now=now)
        if job_id is None:
            return None
        try:
            job = await self._github.job(repository, job_id)
        except NotFound:
            return None  # its run was deleted
        return self._lists.doubt(repository, job, now=now)

    def _take(self, repository: str, jobs: list[Job], *, begun: float, unsettled: bool) -> None:
        known = self._known.repositories.get(repository)
        if known is None:
            return  # it left the installation while it was read
        public = not known.private
        queued = tuple(
            QueuedJob(
                id=job.id, repository=repository, labels=job.labels, queued_at=job.created_at, public=public
            )
            for job in jobs
            if job.status is JobStatus.QUEUED
        )
        running = [job for job in jobs if job.status is JobStatus.IN_PROGRESS]
        if queued or running or unsettled:
            self._active_at[repository] = begun
        active_at = self._active_at.setdefault(repository, begun)
        self._readings[repository] = RepositoryReading(
            at=begun,
            queued=queued,
            running={job.runner_id: job.id for job in running if job.runner_id},
            quiet=begun > active_at + QUIET_AFTER_SECONDS,
            unsettled=unsettled,
        )
        for job in running:
            if job.runner_id and job.started_at is not None:
                self._on_started(
                    StartedJob(
                        job_id=job.id,
                        runner_id=job.runner_id,
                        created_at=job.created_at,
                        started_at=job.started_at,
                    )
                )
        self._on_reading()
