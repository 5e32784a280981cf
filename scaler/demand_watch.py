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
        """`only`: repositories to read (`owner/name`); empty means all that the installation can see."""
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
        if repository not in self._known.repositories:
            await self._list_repositories()
            if repository not in self._known.repositories:
                return
        looks = self._looks.setdefault(repository, _Looks())
        if looks.running is not None:
            looks.again = True
            await asyncio.shield(looks.running)
            return
        looks.running = asyncio.ensure_future(self._look_until_done(repository, looks))
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

    async def _list_repositories(self) -> None:
        listed_at = self._known.listed_at
        if listed_at is not None and self._clock() < listed_at + REPOSITORIES_SECONDS:
            return
        try:
            visible = {repository.full_name: repository for repository in await self._github.repositories()}
        except GitHubError as error:
            self.faults["installation"] = str(error)
            return
        self.faults.pop("installation", None)
        wanted = self._only or frozenset(visible)
        for missing in wanted - set(visible):
            self.faults[missing] = (
                f"{missing} is configured, but the App's installation cannot see it. Add it to the installation's "
                "repositories, or correct github.repositories."
            )
        self._known = _Known({name: visible[name] for name in sorted(wanted & set(visible))}, self._clock())
        for gone in set(self._readings) - set(self._known.repositories):
            del self._readings[gone]

    async def _read(self, repository: str) -> None:
        begun = self._clock()
        try:
            runs: dict[int, WorkflowRun] = {}
            for status in RUN_STATUSES:
                runs |= {run.id: run for run in await self._github.workflow_runs(repository, status=status)}
            pages = await asyncio.gather(*(self._github.jobs_of_run(repository, run) for run in sorted(runs)))
        except GitHubError as error:
            self.faults[repository] = str(error)
            if isinstance(error, NotFound | PermissionDenied | Moved):
                self._refused.add(repository)
            return
        self.faults.pop(repository, None)
        self._refused.discard(repository)
        self._take(repository, [job for page in pages for job in page], begun=begun)

    def _take(self, repository: str, jobs: list[Job], *, begun: float) -> None:
        public = not self._known.repositories[repository].private
        queued = tuple(
            QueuedJob(
                id=job.id, repository=repository, labels=job.labels, queued_at=job.created_at, public=public
            )
            for job in jobs
            if job.status is JobStatus.QUEUED
        )
        running = [job for job in jobs if job.status is JobStatus.IN_PROGRESS]
        if queued or running:
            self._active_at[repository] = begun
        self._readings[repository] = RepositoryReading(
            at=begun,
            queued=queued,
            running={job.runner_id: job.id for job in running if job.runner_id},
            quiet=begun > self._active_at.get(repository, begun - QUIET_AFTER_SECONDS) + QUIET_AFTER_SECONDS,
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
