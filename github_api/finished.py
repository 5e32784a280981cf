"""Runs that have ended within a span of days. GitHub shows 1,000 results of a search at most, so a busy span is asked for in
pieces.

https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol

from github_api.points import Urgency
from github_api.values import WorkflowRun

MOST_RESULTS_OF_A_SEARCH = 1_000
_COMPLETED = "completed"


class Runs(Protocol):
    """What this module needs of GitHub."""

    async def number_of_runs(self, repository: str, *, status: str, created: str, urgency: Urgency) -> int:
        """How many there are."""

    async def workflow_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        """Up to a thousand of them."""


def created_within(first: int, last: int) -> str:
    """A range of moments, both included, in the words of GitHub's search; the arguments are seconds since the epoch.

    https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
    """
    return f"{_moment(first)}..{_moment(last)}"


async def finished_runs(
    github: Runs, repository: str, *, since: float, until: float
) -> AsyncIterator[tuple[WorkflowRun, ...]]:
    """The runs of `owner/name` that were created between two moments (seconds since the epoch, both included) and have
    ended: the newest first, in lists of less than a thousand. Waits for everybody else's calls. Raises GitHubError.

    A run is found by its creation. One that was run again long after it was made is not found by the day of its second
    attempt; GitHub has no filter for that.
    """
    spans = [(int(since), int(until))]
    while spans:
        first, last = spans.pop()
        created = created_within(first, last)
        if first < last:
            found = await github.number_of_runs(
                repository, status=_COMPLETED, created=created, urgency=Urgency.SWEEP
            )
            if found == 0:
                continue
            if found >= MOST_RESULTS_OF_A_SEARCH:
                middle = (first + last) // 2
                spans += [(first, middle), (middle + 1, last)]
                continue
        # Of one second there is nothing left to halve, and no need: 500 runs may begin in ten seconds.
        # https://docs.github.com/en/actions/reference/limits
        yield await github.workflow_runs(
            repository, status=_COMPLETED, created=created, urgency=Urgency.SWEEP
        )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
