"""Finding all finished runs although GitHub shows a thousand of a search: spans are halved until each is small enough."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pytest

from github_api.finished import MOST_RESULTS_OF_A_SEARCH, created_within, finished_runs
from github_api.points import Urgency
from github_api.values import WorkflowRun

BEGIN = 1_800_000_000
DAY = 86_400


def a_run(number: int, created_at: float) -> WorkflowRun:
    return WorkflowRun(
        id=number, status="completed", run_attempt=1, created_at=created_at, html_url=f"https://x/{number}"
    )


class CappedGitHub:
    """Shows the newest thousand of a search; `honest`: whether it counts those that it does not show."""

    def __init__(self, moments: Sequence[float], *, honest: bool) -> None:
        self._runs = [a_run(number, at) for number, at in enumerate(moments)]
        self._honest = honest
        self.asked: Counter[str] = Counter()
        self.urgencies: set[Urgency] = set()

    async def number_of_runs(self, repository: str, *, status: str, created: str, urgency: Urgency) -> int:
        self.asked["count"] += 1
        self.urgencies.add(urgency)
        found = len(self._within(created))
        return found if self._honest else min(found, MOST_RESULTS_OF_A_SEARCH)

    async def workflow_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        assert status == "completed"
        self.asked["list"] += 1
        self.urgencies.add(urgency)
        return tuple(self._within(created)[:MOST_RESULTS_OF_A_SEARCH])

    def _within(self, created: str) -> list[WorkflowRun]:
        first, last = (datetime.fromisoformat(end).timestamp() for end in created.split(".."))
        found = [run for run in self._runs if first <= int(run.created_at) <= last]
        return sorted(found, key=lambda run: -run.created_at)


async def all_of(github: CappedGitHub, *, until: float = BEGIN + DAY) -> list[WorkflowRun]:
    return [run async for runs in finished_runs(github, "acme/a", since=BEGIN, until=until) for run in runs]


@pytest.mark.parametrize("honest", [True, False])
async def test_five_thousand_runs_come_once_each_and_the_newest_first(honest: bool) -> None:
    """Whether or not GitHub's total tells more than it shows."""
    moments = [BEGIN + 17.0 * number for number in range(5_000)]
    found = await all_of(CappedGitHub(moments, honest=honest))
    assert [run.created_at for run in found] == sorted(moments, reverse=True)


async def test_a_burst_in_one_minute_is_found_whole() -> None:
    """2,000 runs within a minute: the span is halved down to seconds, and quiet spans are asked for once."""
    moments = [BEGIN + 40_000 + number * 0.03 for number in range(2_000)]
    github = CappedGitHub(moments, honest=False)
    assert len(await all_of(github)) == 2_000
    assert github.asked["count"] < 50


async def test_the_ends_of_the_span_belong_to_it_and_nothing_beyond() -> None:
    moments = [BEGIN - 1.0, float(BEGIN), BEGIN + DAY + 0.5, BEGIN + DAY + 1.0]
    found = await all_of(CappedGitHub(moments, honest=True))
    assert [run.created_at for run in found] == [BEGIN + DAY + 0.5, BEGIN]


async def test_no_runs_cost_one_question() -> None:
    github = CappedGitHub([], honest=True)
    assert await all_of(github) == []
    assert github.asked == {"count": 1}


async def test_more_than_a_thousand_in_one_second_end_the_halving() -> None:
    """There is nothing left to halve: a thousand are given, and the reading goes on."""
    github = CappedGitHub([float(BEGIN)] * 1_200, honest=True)
    assert len(await all_of(github, until=BEGIN)) == 1_000


async def test_history_stands_behind_every_other_call() -> None:
    github = CappedGitHub([float(BEGIN)], honest=True)
    await all_of(github)
    assert github.urgencies == {Urgency.SWEEP}


def test_a_range_is_written_in_whole_seconds_of_utc() -> None:
    assert created_within(BEGIN, BEGIN + 1) == "2027-01-15T08:00:00Z..2027-01-15T08:00:01Z"
