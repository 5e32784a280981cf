"""Reading the past beside a scaler that lives on the same limits: pace, pauses, and what cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from github_api.errors import BadCredentials, GitHubError, NotFound, PermissionDenied, RateLimited
from github_api.points import Urgency
from github_api.values import Allowance, Job, Repository, WorkflowRun
from runner_pool.capacity.history import FinishedJob
from runner_pool.capacity.reading import READS_PER_MINUTE, Reading
from tests.history_jobs import SINCE, UNTIL, a_job

WIDGETS = Repository(full_name="acme/Widgets", private=True)
SITE = Repository(full_name="acme/site", private=False)


@dataclass
class PastGitHub:
    """So many finished runs of each repository, one job each, with errors by repository or run id, on a clock of its own."""

    repositories_seen: tuple[Repository, ...] = (WIDGETS,)
    runs: int = 3
    errors: dict[str, list[GitHubError]] = field(default_factory=dict)
    allowance: list[Allowance] = field(default_factory=list)
    now: float = UNTIL
    reads: list[float] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def repositories(self) -> tuple[Repository, ...]:
        self._answer("repositories")
        return self.repositories_seen

    async def number_of_runs(self, repository: str, *, status: str, created: str, urgency: Urgency) -> int:
        self._answer(repository)
        return self.runs

    async def workflow_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        self._answer(repository)
        return tuple(
            WorkflowRun(id=n, status=status, run_attempt=1, created_at=SINCE, html_url="x")
            for n in range(self.runs)
        )

    async def jobs_of_run(
        self, repository: str, run_id: int, *, every_attempt: bool, urgency: Urgency
    ) -> tuple[Job, ...]:
        assert every_attempt
        assert urgency is Urgency.SWEEP
        self._answer(f"{repository} {run_id}")
        return (a_job(number=run_id, run_id=run_id),)

    async def allowances(self) -> Mapping[str, Allowance]:
        left = (
            self.allowance.pop(0) if self.allowance else Allowance(limit=5_000, remaining=5_000, resets_at=0)
        )
        return {"core": left}

    def _answer(self, what: str) -> None:
        self.reads.append(self.now)
        if self.errors.get(what):
            raise self.errors[what].pop(0)

    def reading(self) -> Reading:
        return Reading(self, clock=self.clock, sleep=self.sleep, told=self.told.append)


async def jobs_of(reading: Reading, *, only: tuple[str, ...] = ()) -> list[FinishedJob]:
    return [job async for job in reading.finished_jobs(only=frozenset(only), since=SINCE, until=UNTIL)]


async def test_the_jobs_of_all_repositories_are_read_and_told_public_or_private() -> None:
    github = PastGitHub(repositories_seen=(SITE, WIDGETS))
    found = await jobs_of(github.reading())
    assert [(job.repository, job.public, job.job.id) for job in found] == [
        ("acme/Widgets", False, 0),
        ("acme/Widgets", False, 1),
        ("acme/Widgets", False, 2),
        ("acme/site", True, 0),
        ("acme/site", True, 1),
        ("acme/site", True, 2),
    ]
    assert github.slept == []


async def test_only_the_configured_repositories_are_read_and_a_missing_one_is_told() -> None:
    github = PastGitHub(repositories_seen=(SITE, WIDGETS))
    reading = github.reading()
    found = await jobs_of(reading, only=("acme/widgets", "acme/gone"))
    assert {job.repository for job in found} == {"acme/Widgets"}
    assert reading.unread == ["acme/gone is configured, but the App's installation cannot see it"]


async def test_no_minute_sees_more_reads_than_the_scaler_can_spare() -> None:
    """500 runs: any sixty seconds hold 150 reads at most, and none is slower than it must be."""
    github = PastGitHub(runs=500)
    assert len(await jobs_of(github.reading())) == 500
    assert all(
        sum(begin <= other < begin + 60.0 for other in github.reads) <= READS_PER_MINUTE
        for begin in github.reads
    )
    assert github.now - UNTIL < 4 * 60.0
    assert "500 runs are read" in github.told


async def test_the_rest_of_an_hours_allowance_belongs_to_the_scaler() -> None:
    """2,000 of 5,000 calls are left, which is the part that is kept: reading goes on in the next hour."""
    low = Allowance(limit=5_000, remaining=2_000, resets_at=UNTIL + 600.0)
    github = PastGitHub(allowance=[low])
    assert len(await jobs_of(github.reading())) == 3
    assert min(github.reads) > UNTIL + 600.0
    assert github.told == [
        "2000 calls of this hour are left to the scaler; 0 runs are read, and reading goes on in 601 s"
    ]


async def test_a_pause_that_github_asks_for_is_kept_and_nothing_is_lost() -> None:
    github = PastGitHub(errors={"acme/Widgets 1": [RateLimited("slow down", until=UNTIL + 90.0)]})
    found = await jobs_of(github.reading())
    assert [job.job.id for job in found] == [0, 1, 2]
    assert github.now == UNTIL + 91.0
    assert github.told == ["GitHub asks for a pause; 2 runs are read, and reading goes on in 91 s"]


async def test_a_run_that_was_deleted_meanwhile_is_told_and_the_others_are_read() -> None:
    github = PastGitHub(errors={"acme/Widgets 1": [NotFound("gone", status=404)]})
    reading = github.reading()
    assert [job.job.id for job in await jobs_of(reading)] == [0, 2]
    assert reading.unread == ["run 1 of acme/Widgets was deleted meanwhile"]


async def test_a_repository_that_cannot_be_read_keeps_no_other_from_it() -> None:
    github = PastGitHub(
        repositories_seen=(SITE, WIDGETS), errors={"acme/Widgets": [PermissionDenied("no", status=403)]}
    )
    reading = github.reading()
    assert {job.repository for job in await jobs_of(reading)} == {"acme/site"}
    [told] = reading.unread
    assert told.startswith("acme/Widgets was not read to its end: no (HTTP 403)")


async def test_an_app_that_github_refuses_ends_the_reading() -> None:
    github = PastGitHub(errors={"acme/Widgets": [BadCredentials("no", status=401)]})
    with pytest.raises(BadCredentials):
        await jobs_of(github.reading())
