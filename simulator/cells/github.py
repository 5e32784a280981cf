"""PURE: a model of GitHub: jobs queue, runners listen, each runs one job; lists lag behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from scaler.core.model import QueuedJob, RepositoryReading
from simulator.cells.weather import Weather
from simulator.trace import TraceJob
from simulator.virtual_time import VirtualTime

# How long a repository without jobs is still looked at twice; see scaler/demand_watch.py.
QUIET_AFTER_SECONDS = 600.0

# A job whose runner vanished between being given it and beginning it is queued again after this.
# Seen on the real service; https://github.com/actions/runner/issues/3819 tells of such a minute.
REQUEUED_AFTER_SECONDS = 60.0


class Runner(Protocol):
    """Who listens."""

    labels: frozenset[str]

    def assigned(self, job: SimulatedJob) -> None:
        """A job is given to it; the runner begins it in a moment."""


@dataclass(slots=True, eq=False)
class SimulatedJob:
    """One job on its way. Times are seconds of virtual time; None until they come. `stopped_by`: who ended it before its time."""

    id: int
    traced: TraceJob
    queued_at: float
    shown: QueuedJob
    started_at: float | None = None
    ended_at: float | None = None
    runner_id: int | None = None
    succeeded: bool = False
    stopped_by: str | None = None
    shown_late: bool = False


@dataclass(slots=True, eq=False)
class Repository:
    """The jobs of one repository that are not over. `told`: a webhook about it is under way; `still_shown`: jobs that are over
    and that lists still call queued.
    """

    name: str
    queued: dict[int, SimulatedJob] = field(default_factory=dict)
    running: dict[int, SimulatedJob] = field(default_factory=dict)
    still_shown: dict[int, SimulatedJob] = field(default_factory=dict)
    active_at: float = float("-inf")
    told: bool = False


class ModelGitHub:
    """Queue, runners and lists. `changed(repository)` is what webhooks tell; it may get lost on its way.

    `moved(job)`: a job was queued, has begun or has ended.
    """

    def __init__(
        self,
        time: VirtualTime,
        *,
        weather: Weather,
        changed: Callable[[Repository], None],
        moved: Callable[[SimulatedJob], None],
    ) -> None:
        self._time = time
        self._weather = weather
        self._moved = moved
        self._changed = changed
        self._ids = count(1)
        self._runner_ids = count(1)
        self._listening: dict[int, Runner] = {}
        self._waiting: dict[frozenset[str], deque[SimulatedJob]] = {}
        self.repositories: dict[str, Repository] = {}
        self.registrations = 0
        self.jobs: list[SimulatedJob] = []
        self.over = 0

    def queue(self, traced: TraceJob) -> None:
        """A job is queued now."""
        number, now = next(self._ids), self._time.now
        shown = QueuedJob(id=number, repository=traced.repository, labels=traced.labels, queued_at=now)
        job = SimulatedJob(id=number, traced=traced, queued_at=now, shown=shown)
        self.jobs.append(job)
        self._moved(job)
        self._enqueue(job)

    def register(self) -> int:
        """The id of a new runner."""
        self.registrations += 1
        return next(self._runner_ids)

    def listen(self, runner_id: int, runner: Runner) -> None:
        """A runner listens; it gets the oldest job that fits, now or later."""
        self._listening[runner_id] = runner
        oldest = min(
            (jobs[0] for labels, jobs in self._waiting.items() if jobs and labels <= runner.labels),
            key=lambda job: (job.queued_at, job.id),
            default=None,
        )
        if oldest is not None:
            self._waiting[oldest.traced.labels].popleft()
            self._assign(oldest, runner_id)

    def is_idle(self, runner_id: int) -> bool:
        """Whether a runner listens and has been given nothing."""
        return runner_id in self._listening

    def gone(self, runner_id: int) -> None:
        """A runner without a job is gone."""
        self._listening.pop(runner_id, None)

    def vanished_before_beginning(self, job: SimulatedJob) -> None:
        """The runner that was given a job is gone without having begun it."""
        self._time.after(REQUEUED_AFTER_SECONDS, lambda: self._enqueue(job))

    def begun(self, job: SimulatedJob, runner_id: int) -> None:
        """A runner has begun its job."""
        repository = self.repositories[job.traced.repository]
        job.started_at, job.runner_id = self._time.now, runner_id
        repository.queued.pop(job.id, None)
        repository.running[job.id] = job
        self._moved(job)
        self._tell(repository)

    def ended(self, job: SimulatedJob, *, succeeded: bool) -> None:
        """A job is over."""
        repository = self.repositories[job.traced.repository]
        job.ended_at, job.succeeded = self._time.now, succeeded
        repository.running.pop(job.id, None)
        if self._is_shown_as_queued(job):
            repository.still_shown[job.id] = job
        self.over += 1
        self._moved(job)
        self._tell(repository)

    def reading(self, repository: Repository) -> RepositoryReading:
        """What the lists show of a repository now."""
        now = self._time.now
        for job in [job for job in repository.still_shown.values() if not self._is_shown_as_queued(job)]:
            del repository.still_shown[job.id]
        shown = [job.shown for job in (*repository.queued.values(), *repository.still_shown.values())]
        running = {}
        for job in repository.running.values():
            assert job.runner_id is not None
            if self._is_shown_as_queued(job):
                shown.append(job.shown)
                if not job.shown_late:
                    job.shown_late = True
                    self._weather.struck("list behind")
            else:
                running[job.runner_id] = job.id
        quiet = not shown and not running and now > repository.active_at + QUIET_AFTER_SECONDS
        return RepositoryReading(at=now, queued=tuple(shown), running=running, quiet=quiet)

    def _is_shown_as_queued(self, begun: SimulatedJob) -> bool:
        """Whether the lists lag behind the beginning of a job, which may be over already."""
        assert begun.started_at is not None
        return self._time.now < begun.started_at + self._weather.faults.list_lag

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return sum(len(each.queued) for each in self.repositories.values())

    @property
    def running(self) -> int:
        """How many jobs run."""
        return sum(len(each.running) for each in self.repositories.values())

    def _enqueue(self, job: SimulatedJob) -> None:
        name = job.traced.repository
        repository = self.repositories.setdefault(name, Repository(name=name))
        repository.queued[job.id] = job
        for runner_id, runner in self._listening.items():
            if job.traced.labels <= runner.labels:
                self._assign(job, runner_id)
                break
        else:
            self._waiting.setdefault(job.traced.labels, deque()).append(job)
        self._tell(repository)

    def _assign(self, job: SimulatedJob, runner_id: int) -> None:
        self._listening.pop(runner_id).assigned(job)

    def _tell(self, repository: Repository) -> None:
        repository.active_at = self._time.now
        self._changed(repository)
