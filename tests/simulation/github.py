"""A model of GitHub: a queue of jobs, lists that lag, single-use registrations, and the job for any matching runner.

Deleting a registration whose runner lives is a broken promise: the real GitHub may cancel its job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random

from github_api.errors import GitHubError, NameTaken, NotFound, Unavailable
from github_api.secret import Secret
from github_api.values import JitConfiguration, Job, JobStatus, Runner
from scaler.core.model import QueuedJob, RepositoryReading
from tests.simulation.story import Story
from tests.simulation.weather import Span, Weather

REPOSITORY = "acme/widgets"
API_CALL = Span(least=0.05, most=2.0)


@dataclass(slots=True)
class ModelJob:
    """A workflow job. `lag`: for how long the lists are behind on it."""

    number: int
    queued_at: float
    seconds: float
    lag: float
    runner_id: int | None = None
    runner_name: str | None = None
    started_at: float | None = None
    completed_at: float | None = None


@dataclass(slots=True)
class Registration:
    """A runner that GitHub knows. `live`: its process runs."""

    runner_id: int
    name: str
    used: bool = False
    live: bool = False


class ModelGitHub:
    """One repository of one organization."""

    def __init__(
        self, *, chance: Random, weather: Callable[[], Weather], clock: Callable[[], float], story: Story
    ) -> None:
        self.jobs: list[ModelJob] = []
        self.registrations: dict[int, Registration] = {}
        self.asked_to_register = 0
        self.refuses: GitHubError | None = None
        self._names: set[str] = set()
        self._last_id = 0
        self._chance = chance
        self._weather = weather
        self._clock = clock
        self._story = story

    # What the scaler calls.

    async def generate_jit_configuration(
        self, *, name: str, labels: Collection[str], runner_group_id: int, timeout_seconds: float
    ) -> JitConfiguration:
        """Register a runner; the reply may be lost."""
        self.asked_to_register += 1
        await asyncio.sleep(API_CALL.drawn(self._chance))
        if self.refuses is not None:
            raise self.refuses
        if name in self._names:
            self._story.fault("github", f"the runner name {name} is used a second time")
            raise NameTaken(f"{name} is taken")
        self._names.add(name)
        self._last_id += 1
        self.registrations[self._last_id] = Registration(runner_id=self._last_id, name=name)
        made = JitConfiguration(
            runner_id=self._last_id, runner_name=name, encoded=Secret(f"configuration-{self._last_id}")
        )
        await asyncio.sleep(API_CALL.drawn(self._chance))
        if self._chance.random() < self._weather().registration_reply_lost:
            raise Unavailable("the reply to a registration was lost")
        return made

    async def runners(self, *, name: str | None = None) -> tuple[Runner, ...]:
        """Registrations of that name."""
        await asyncio.sleep(API_CALL.drawn(self._chance))
        return tuple(
            Runner(id=each.runner_id, name=each.name, status="offline", busy=False, labels=frozenset())
            for each in self.registrations.values()
            if name in (None, each.name)
        )

    async def delete_runner(self, runner_id: int) -> None:
        """Remove a registration."""
        await asyncio.sleep(API_CALL.drawn(self._chance))
        registration = self.registrations.pop(runner_id, None)
        if registration is None:
            raise NotFound(f"no runner {runner_id}")
        if registration.live:
            self._story.fault("github", f"the registration {runner_id} was deleted under a live runner")

    async def job(self, repository: str, job_id: int) -> Job:
        """One job as it is."""
        await asyncio.sleep(API_CALL.drawn(self._chance))
        job = self.jobs[job_id - 1]
        return Job(
            id=job.number,
            run_id=1,
            run_attempt=1,
            name=f"job-{job.number}",
            status=JobStatus.QUEUED if job.completed_at is None else JobStatus.COMPLETED,
            conclusion=None,
            labels_as_written=("linux",),
            created_at=job.queued_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            runner_id=job.runner_id,
            runner_name=job.runner_name,
            html_url=None,
        )

    def reading(self, begun: float) -> RepositoryReading:
        """The lists as a look begun at `begun` shows them: late, each job by its own lag."""
        queued, running = [], {}
        for job in self.jobs:
            shown_started = job.started_at is not None and job.started_at + job.lag <= begun
            shown_completed = job.completed_at is not None and job.completed_at + job.lag <= begun
            if not shown_started and not shown_completed:
                queued.append(
                    QueuedJob(
                        id=job.number,
                        repository=REPOSITORY,
                        labels=frozenset({"linux"}),
                        queued_at=job.queued_at,
                    )
                )
            elif not shown_completed and job.runner_id is not None:
                running[job.runner_id] = job.number
        return RepositoryReading(at=begun, queued=tuple(queued), running=running)

    # What people and runners do.

    def push(self, seconds: float) -> None:
        """A job is queued."""
        lag = self._chance.random() * self._weather().lists_lag_seconds
        self.jobs.append(
            ModelJob(number=len(self.jobs) + 1, queued_at=self._clock(), seconds=seconds, lag=lag)
        )

    def cancel_queued(self) -> None:
        """A person cancels whatever has not started."""
        for job in self.jobs:
            if job.started_at is None:
                job.started_at = job.completed_at = self._clock()

    def use(self, configuration: Secret) -> Registration | None:
        """A runner starts with a configuration; None if its registration was removed."""
        registration = self.registrations.get(int(configuration.reveal().rpartition("-")[2]))
        if registration is not None:
            if registration.used:
                self._story.fault(
                    "github", f"the configuration of runner {registration.runner_id} is used twice"
                )
            registration.used = registration.live = True
        return registration

    def assign(self, registration: Registration) -> ModelJob | None:
        """The oldest queued job for a listening runner; its registration is consumed."""
        if registration.runner_id not in self.registrations:
            return None
        waiting = next((job for job in self.jobs if job.started_at is None), None)
        if waiting is not None:
            waiting.started_at = self._clock()
            waiting.runner_id, waiting.runner_name = registration.runner_id, registration.name
            del self.registrations[registration.runner_id]
        return waiting

    def ended(self, registration: Registration, job: ModelJob | None) -> None:
        """A runner has ended, with its job or without."""
        registration.live = False
        if job is not None and job.completed_at is None:
            job.completed_at = self._clock()

    @property
    def idle(self) -> bool:
        """No job waits or runs, and no registration is left."""
        return not self.registrations and all(job.completed_at is not None for job in self.jobs)
