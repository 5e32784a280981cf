"""Reads GitHub's queue: one repository when a signal names it, all of them on a sweep. Keeps the last
successful reading of each.

A reading that fails changes nothing but the list of faults; one bad repository never keeps another from being
read. How urgent a look is decides whether it waits for others (github_api.points), never what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from github_api.errors import GitHubError, Moved, NotFound, PermissionDenied
from github_api.points import Urgency
from github_api.values import Job, JobStatus, Repository, WorkflowRun
from scaler.core.model import DemandSeen, QueuedJob, RepositoryReading
from scaler.rotation import Rotation
from scaler.rounds import Rounds
from scaler.run_lists import RunLists

# How long a repository without queued or running jobs is still looked at twice before its silence is
# believed.
QUIET_AFTER_SECONDS = 600.0

# Runs whose jobs may be queued: an in_progress run holds queued jobs, and a queued run may have running ones.
# https://docs.github.com/en/rest/actions/workflow-runs
RUN_STATUSES = ("queued", "in_progress")

# Repositories that a sweep reads at once, each with one request after the other: as many as the client sends.
REPOSITORIES_AT_ONCE = 20

# A repository that a signal names again within this time of its last look is less urgent than one that was quiet:
# one more look covers all that comes meanwhile.
AGAIN_WITHIN_SECONDS = 2.0

# How long the list of the installation's repositories is good for.
REPOSITORIES_SECONDS = 600.0


class Queue(Protocol):
    """What this module needs of GitHub."""

    async def repositories(self) -> tuple[Repository, ...]:
        """The repositories the installation may see."""

    async def workflow_runs(
        self, repository: str, *, status: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        """All runs of that status."""

    async def jobs_of_run(self, repository: str, run_id: int, *, urgency: Urgency) -> tuple[Job, ...]:
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
        idle_every_sweeps: int = 1,
    ) -> None:
        """`only`: repositories to read (`owner/name`, in any case); empty means all that the installation can see.

        `idle_every_sweeps`: in how many sweeps an idle repository is read once.
        """
        self._github = github
        self._only = only
        self._clock = clock
        self._on_reading = on_reading
        self._on_started = on_started
        self._known = _Known()
        self._readings: dict[str, RepositoryReading] = {}
        self._refused: set[str] = set()
        self._active_at: dict[str, float] = {}
        self._looks: dict[str, Rounds] = {}
        self._confirmations: dict[str, Rounds] = {}
        self._named_at: dict[str, float] = {}
        self._sweeps = Rounds(self._sweep)
        self._rotation = Rotation(idle_every_sweeps)
        self._listing = asyncio.Lock()
        self._lists_tried = 0
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
        """Look at every repository whose turn it is; a sweep asked for while one is under way is followed by
        exactly one more.
        """
        await self._sweeps.one()

    async def look(self, repository: str) -> None:
        """Look at a repository that a signal has named, whatever a sweep is waiting for."""
        name = self._name_of(repository)
        if name is None:
            await self._list_repositories()
            name = self._name_of(repository)
            if name is None:
                return
        self._rotation.named(name)
        await _one_round(self._looks, name, self._read_named)

    async def confirm(self, repository: str) -> None:
        """Look at a repository again because a decision waits for it."""
        if repository in self._known.repositories:
            await _one_round(self._confirmations, repository, partial(self._read, urgency=Urgency.CONFIRM))

    async def _read_named(self, repository: str) -> None:
        now = self._clock()
        again = now < self._named_at.get(repository, float("-inf")) + AGAIN_WITHIN_SECONDS
        self._named_at[repository] = now
        await self._read(repository, Urgency.AGAIN if again else Urgency.NAMED)
        # A look that had to wait for points must not make the next one urgent again.
        self._named_at[repository] = self._clock()

    async def _sweep(self) -> None:
        await self._list_repositories()
        waiting = iter(self._rotation.next_sweep(self._known.repositories))

        async def reader() -> None:
            for repository in waiting:
                await self._read(repository, Urgency.SWEEP)

        try:
            async with asyncio.TaskGroup() as readers:
                for _ in range(REPOSITORIES_AT_ONCE):
                    readers.create_task(reader())
        except BaseExceptionGroup as defects:
            # Whoever waits for a sweep is told of the defect itself, as with a look.
            raise defects.exceptions[0] from None

    def _name_of(self, repository: str) -> str | None:
        """The name as GitHub writes it of a repository that is looked at."""
        known = self._known.repositories
        if repository in known:
            return repository
        return next((name for name in known if name.lower() == repository.lower()), None)

    async def _list_repositories(self) -> None:
        tried = self._lists_tried
        async with self._listing:
            # A crowd of signals right after the start must not make as many lists.
            if self._lists_tried == tried:
                await self._list_when_old()
                self._lists_tried += 1

    async def _list_when_old(self) -> None:
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
        for gone in set(self._named_at) - set(self._known.repositories):
            del self._named_at[gone]

    async def _read(self, repository: str, urgency: Urgency) -> None:
        """Take a reading. It is as old as its first request at least: the wait for points counts too."""
        begun = self._clock()
        try:
            # One after the other, and queued first: a run that begins meanwhile is in the second list, if not in both.
            runs: dict[int, WorkflowRun] = {}
            for status in RUN_STATUSES:
                found = await self._github.workflow_runs(repository, status=status, urgency=urgency)
                runs |= {run.id: run for run in found}
            pages = await asyncio.gather(
                *(self._github.jobs_of_run(repository, run, urgency=urgency) for run in sorted(runs))
            )
            doubt = None if runs else await self._doubt(repository, now=begun)
        except GitHubError as error:
            if not self._has_newer(repository, begun):
                self._failed(repository, error)
            return
        if self._has_newer(repository, begun):
            return
        self._refused.discard(repository)
        # A fresh run may have no jobs yet, and one that waits for an approval may have some later.
        self._rotation.looked(repository, idle=not runs and doubt is None)
        if doubt is not None:
            self.faults[repository] = doubt
            return
        self.faults.pop(repository, None)
        if runs:
            self._lists.believe(repository)
        jobless = [run for run, page in zip(sorted(runs), pages, strict=True) if not page]
        unsettled = self._lists.unsettled(repository, jobless, now=begun)
        self._take(repository, [job for page in pages for job in page], begun=begun, unsettled=unsettled)

    def _has_newer(self, repository: str, begun: float) -> bool:
        """Whether a more urgent look has overtaken the one that began then."""
        reading = self._readings.get(repository)
        return reading is not None and reading.at > begun

    def _failed(self, repository: str, error: GitHubError) -> None:
        self.faults[repository] = str(error)
        self._rotation.looked(repository, idle=False)
        if isinstance(error, NotFound | PermissionDenied | Moved):
            # Not ours to read (any more), so its jobs are not ours to serve.
            self._refused.add(repository)
            self._readings.pop(repository, None)

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


async def _one_round(under_way: dict[str, Rounds], name: str, work: Callable[[str], Awaitable[None]]) -> None:
    """A round of `work` about that name; `under_way` holds those that have begun."""
    rounds = under_way.setdefault(name, Rounds(partial(work, name)))
    try:
        await rounds.one()
    finally:
        if not rounds.under_way and under_way.get(name) is rounds:
            del under_way[name]
