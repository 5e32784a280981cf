"""Asks GitHub for the finished jobs of days, at a pace that a scaler on the same App does not feel.

GitHub has no list of a repository's jobs, so each run costs a call of its own: a thousand runs are a thousand calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from github_api.errors import BadCredentials, GitHubError, InstallationMissing, NotFound, RateLimited
from github_api.finished import finished_runs
from github_api.points import Urgency
from github_api.values import Allowance, Job, Repository, WorkflowRun
from runner_pool.capacity.history import FinishedJob
from scaler.budget import WINDOW_SECONDS, MinuteBudget

# A scaler's sweeps may use 710 of the 900 points that GitHub gives an App in a minute (github_api.points). These leave
# 40 more to its urgent calls.
READS_PER_MINUTE = 150

# The hour's allowance is shared as well; this part of it is left to the scaler.
KEPT_SHARE = 0.4
_LOOK_AT_ALLOWANCE_EVERY = 100
_TELL_EVERY = 500
_CORE = "core"

# An allowance that comes back a moment late costs another wait, not an error. More waits in a row than this are an
# outage, for a window of GitHub's is an hour at most.
_MOST_WAITS = 5
_LATER_SECONDS = 1.0

T = TypeVar("T")


class GitHubOfThePast(Protocol):
    """What this module needs of GitHub."""

    async def repositories(self) -> tuple[Repository, ...]:
        """The repositories the installation may see."""

    async def number_of_runs(self, repository: str, *, status: str, created: str, urgency: Urgency) -> int:
        """How many runs there are."""

    async def workflow_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        """Up to a thousand of them."""

    async def jobs_of_run(
        self, repository: str, run_id: int, *, every_attempt: bool, urgency: Urgency
    ) -> tuple[Job, ...]:
        """The jobs of a run."""

    async def allowances(self) -> Mapping[str, Allowance]:
        """What is left of each limit."""


class Reading:
    """One reading of the past. `unread` fills with what GitHub did not show, in sentences.

    `told` hears of progress and of every wait; `clock` is seconds since the epoch, as GitHub's limits are.
    """

    def __init__(
        self,
        github: GitHubOfThePast,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        told: Callable[[str], None],
    ) -> None:
        self._github = github
        self._clock = clock
        self._sleep = sleep
        self._told = told
        self._pace = MinuteBudget(READS_PER_MINUTE)
        self._reads = 0
        self.runs = 0
        self.unread: list[str] = []

    async def finished_jobs(
        self, *, only: frozenset[str], since: float, until: float
    ) -> AsyncIterator[FinishedJob]:
        """Every job of the runs that were made between two moments (seconds since the epoch) and have ended.

        `only`: the repositories to read, `owner/name`; none named means all that the installation sees. One that cannot
        be read keeps no other from being read. Raises GitHubError when GitHub refuses the App altogether.
        """
        for repository in await self._repositories(only):
            try:
                async for run in self._runs(repository, since=since, until=until):
                    for job in await self._jobs(repository, run):
                        yield FinishedJob(
                            repository=repository.full_name, public=not repository.private, job=job
                        )
            except (BadCredentials, InstallationMissing):
                raise
            except GitHubError as error:
                self.unread.append(f"{repository.full_name} was not read to its end: {error}")

    async def _repositories(self, only: frozenset[str]) -> list[Repository]:
        visible = await self._waiting_for_limits(self._github.repositories)
        wanted = {name.lower() for name in only}
        self.unread += [
            f"{name} is configured, but the App's installation cannot see it"
            for name in sorted(only)
            if name.lower() not in {each.full_name.lower() for each in visible}
        ]
        found = [each for each in visible if not wanted or each.full_name.lower() in wanted]
        return sorted(found, key=lambda each: each.full_name)

    async def _runs(
        self, repository: Repository, *, since: float, until: float
    ) -> AsyncIterator[WorkflowRun]:
        async for runs in finished_runs(self, repository.full_name, since=since, until=until):
            for run in runs:
                self.runs += 1
                if self.runs % _TELL_EVERY == 0:
                    self._told(f"{self.runs} runs are read")
                yield run

    async def number_of_runs(self, repository: str, *, status: str, created: str, urgency: Urgency) -> int:
        """As GitHub says it, at our pace."""
        return await self._waiting_for_limits(
            lambda: self._github.number_of_runs(repository, status=status, created=created, urgency=urgency)
        )

    async def workflow_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        """As GitHub says it, at our pace."""
        return await self._waiting_for_limits(
            lambda: self._github.workflow_runs(repository, status=status, created=created, urgency=urgency)
        )

    async def _jobs(self, repository: Repository, run: WorkflowRun) -> tuple[Job, ...]:
        try:
            return await self._waiting_for_limits(
                lambda: self._github.jobs_of_run(
                    repository.full_name, run.id, every_attempt=True, urgency=Urgency.SWEEP
                )
            )
        except NotFound:
            # Somebody deletes old runs; its jobs went with it.
            self.unread.append(f"run {run.id} of {repository.full_name} was deleted meanwhile")
            return ()

    async def _waiting_for_limits(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, after however many waits GitHub wants. Raises GitHubError."""
        for _ in range(_MOST_WAITS):
            await self._keep_pace()
            try:
                return await ask()
            except RateLimited as error:
                await self._wait_until(error.until, why="GitHub asks for a pause")
        return await ask()

    async def _keep_pace(self) -> None:
        if self._reads % _LOOK_AT_ALLOWANCE_EVERY == 0:
            await self._leave_enough_to_others()
        self._reads += 1
        while self._pace.left(self._clock()) == 0:
            await self._sleep(WINDOW_SECONDS / READS_PER_MINUTE)
        self._pace.use(self._clock())

    async def _leave_enough_to_others(self) -> None:
        """Wait for the next window once the rest of this one belongs to the scaler."""
        for _ in range(_MOST_WAITS):
            core = (await self._github.allowances()).get(_CORE)
            if core is None or core.remaining > KEPT_SHARE * core.limit:
                return
            await self._wait_until(
                core.resets_at, why=f"{core.remaining} calls of this hour are left to the scaler"
            )

    async def _wait_until(self, moment: float, *, why: str) -> None:
        seconds = max(0.0, moment - self._clock()) + _LATER_SECONDS
        self._told(f"{why}; {self.runs} runs are read, and reading goes on in {seconds:.0f} s")
        await self._sleep(seconds)
