"""PURE: when GitHub's lists of runs and jobs are not to be believed.

Two things were seen: a run that has just been made lists no jobs yet, and in an incident the lists that are filtered by
status come back empty (https://github.com/actions/actions-runner-controller/issues/362). Neither is an empty queue.
"""

from __future__ import annotations

from collections.abc import Iterable

from github_api.values import Job, JobStatus
from scaler.core.model import RepositoryReading

# A run shows its jobs within seconds; one without jobs for this long has none.
JOBS_APPEAR_SECONDS = 60.0

# A single job that GitHub forgets to end must not hold a repository's reading for ever.
LISTS_DOUBTED_SECONDS = 600.0

_NOT_ENDED = (JobStatus.QUEUED, JobStatus.IN_PROGRESS)


class RunLists:
    """What is remembered of runs without jobs, and of lists that were empty all of a sudden, by repository."""

    def __init__(self) -> None:
        self._jobless: dict[str, dict[int, float]] = {}
        self._doubted: dict[str, float] = {}

    def unsettled(self, repository: str, jobless: Iterable[int], *, now: float) -> bool:
        """Whether one of these runs, which list no jobs, may have some all the same."""
        before = self._jobless.get(repository, {})
        since = {run: before.get(run, now) for run in jobless}
        self._jobless[repository] = since
        return any(now < first + JOBS_APPEAR_SECONDS for first in since.values())

    def witness(self, repository: str, last: RepositoryReading | None, *, now: float) -> int | None:
        """The job to ask about when a repository with jobs lists no run any more; None where it is believed."""
        if last is None or now > self._doubted.get(repository, now) + LISTS_DOUBTED_SECONDS:
            return None
        if last.queued:
            return max(last.queued, key=lambda job: (job.queued_at, job.id)).id
        return max(last.running.values(), default=None)

    def doubt(self, repository: str, job: Job, *, now: float) -> str | None:
        """What is wrong with an empty list, by the word of that job; None when it has ended."""
        if job.status not in _NOT_ENDED:
            self.believe(repository)
            return None
        self._doubted.setdefault(repository, now)
        return (
            f"GitHub lists no run of {repository} although job {job.id} is {job.status.value}; its last reading is kept. "
            "See https://www.githubstatus.com"
        )

    def believe(self, repository: str) -> None:
        """The lists showed something, or nothing was left to show."""
        self._doubted.pop(repository, None)
