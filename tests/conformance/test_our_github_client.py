"""Our GitHub client asks as GitHub describes and understands what it answers. Ran on: the stand-in GitHub.

Each exchange, request and reply, is held against GitHub's published description.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from github_api.app_auth import AppKey
from github_api.client import GitHub
from github_api.errors import (
    BadCredentials,
    InstallationMissing,
    NameTaken,
    NotFound,
    PermissionDenied,
    RunnerBusy,
)
from github_api.secret import Secret
from github_api.values import JobStatus, Scope
from tests.emulator_github import FakeJob, FakePlan, GitHubServer, Installed, Runner, plans
from tests.github_schema import check_exchange

NUMBERS = itertools.count(1)
MATRIX = FakePlan(
    jobs=tuple(FakeJob(key=f"test ({number})", labels=("self-hosted", "Linux")) for number in range(205))
)


@dataclass
class Exchanges:
    """Operation and status of every exchange, oldest first; those of the App's identity left out."""

    seen: list[tuple[str, int]] = field(default_factory=list)

    async def check(self, response: httpx.Response) -> None:
        await response.aread()
        request = response.request
        operation = check_exchange(
            request.method,
            request.url.raw_path.decode(),
            json.loads(request.content) if request.content else None,
            response.status_code,
            response.json() if response.content else None,
        )
        if not operation.startswith("apps/") or operation.startswith("apps/list"):
            self.seen.append((operation, response.status_code))


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    with GitHubServer(plan_loader=plans(ci=MATRIX)) as server:
        yield server


@pytest.fixture
def installed(server: GitHubServer) -> Installed:
    """An organization of the test's own."""
    return server.set_up(f"acme-{next(NUMBERS)}")


@pytest.fixture
def exchanges() -> Exchanges:
    return Exchanges()


@asynccontextmanager
async def client(
    installed: Installed,
    exchanges: Exchanges,
    *,
    scope: str | None = None,
    app_id: str | None = None,
    key: str | None = None,
) -> AsyncIterator[GitHub]:
    """A client of the stand-in whose every exchange is checked."""
    async with (
        httpx.AsyncClient(event_hooks={"response": [exchanges.check]}, trust_env=False) as http,
        GitHub(
            app_id=app_id or installed.client_id,
            key=AppKey.from_pem(Secret(key or installed.private_key)),
            scope=Scope.named(scope or installed.organization),
            url=f"{installed.server.url}/api/v3",
            http=http,
            clock=installed.server.clock,
        ) as github,
    ):
        yield github


@pytest.fixture
async def github(installed: Installed, exchanges: Exchanges) -> AsyncIterator[GitHub]:
    async with client(installed, exchanges) as github:
        yield github


@pytest.fixture
def repository(installed: Installed) -> str:
    return f"{installed.organization}/widgets"


async def test_demand_is_found_from_repository_to_job(
    github: GitHub, server: GitHubServer, repository: str, exchanges: Exchanges
) -> None:
    """All 205 jobs of a matrix, over three pages."""
    run_id = server.push("any", repository=repository)
    (seen,) = await github.repositories()
    (run,) = await github.workflow_runs(repository, status="queued")
    jobs = await github.jobs_of_run(repository, run.id)
    assert (seen.full_name, seen.private, run.id) == (repository, True, run_id)
    assert len({job.id for job in jobs}) == 205
    assert {job.status for job in jobs} == {JobStatus.QUEUED}
    assert {job.labels for job in jobs} == {frozenset({"self-hosted", "linux"})}
    assert await github.job(repository, jobs[7].id) == jobs[7]
    assert await github.workflow_runs(repository, status="in_progress") == ()
    assert [operation for operation, _ in exchanges.seen].count("actions/list-jobs-for-workflow-run") == 3


async def test_an_unchanged_list_costs_nothing(
    github: GitHub, server: GitHubServer, repository: str, exchanges: Exchanges
) -> None:
    run_id = server.push("any", repository=repository)
    first = await github.jobs_of_run(repository, run_id)
    left = (await github.allowances())["core"].remaining
    again = await github.jobs_of_run(repository, run_id)
    assert again == first
    assert [status for _, status in exchanges.seen[-3:]] == [304, 304, 304]
    assert (await github.allowances())["core"].remaining == left


@pytest.mark.parametrize("below", ["", "/widgets"], ids=["organization", "repository"])
async def test_a_runner_is_registered_found_and_removed(
    installed: Installed, exchanges: Exchanges, below: str
) -> None:
    async with client(installed, exchanges, scope=installed.organization + below) as github:
        made = await github.generate_jit_configuration(name="linux-a1", labels=["self-hosted", "linux"])
        assert Runner(made.encoded.reveal(), server=installed.server).id == made.runner_id
        (found,) = await github.runners(name="linux-a1")
        assert (found.id, found.busy, found.status) == (made.runner_id, False, "offline")
        assert found.labels == {"self-hosted", "linux"}
        assert await github.runner(made.runner_id) == found
        assert await github.runners() == (found,)
        with pytest.raises(NameTaken):
            await github.generate_jit_configuration(name="linux-a1", labels=["linux"])
        await github.delete_runner(made.runner_id)
        for gone in (github.runner(made.runner_id), github.delete_runner(made.runner_id)):
            with pytest.raises(NotFound):
                await gone
        assert await github.runners() == ()


async def test_a_runner_with_a_job_is_not_removed(
    github: GitHub, server: GitHubServer, repository: str
) -> None:
    run_id = server.push("any", repository=repository)
    made = await github.generate_jit_configuration(name="linux-a1", labels=["self-hosted", "linux"])
    runner = Runner(made.encoded.reveal(), server=server)
    await asyncio.to_thread(runner.open_session)
    await asyncio.to_thread(lambda: runner.acquire(runner.next_job()))
    with pytest.raises(RunnerBusy):
        await github.delete_runner(made.runner_id)
    (taken,) = [
        job for job in await github.jobs_of_run(repository, run_id) if job.runner_id == made.runner_id
    ]
    assert (taken.status, taken.runner_name) == (JobStatus.IN_PROGRESS, "linux-a1")


async def test_runner_groups_are_listed(github: GitHub) -> None:
    groups = await github.runner_groups()
    assert (groups[0].id, groups[0].default) == (1, True)


async def test_an_unknown_runner_group_is_told(github: GitHub) -> None:
    with pytest.raises(NotFound):
        await github.generate_jit_configuration(name="a", labels=["x"], runner_group_id=77)
    with pytest.raises(PermissionDenied):
        await github.generate_jit_configuration(name="a", labels=["x"], runner_group_id=2)


async def test_an_expired_token_is_replaced(
    github: GitHub, installed: Installed, exchanges: Exchanges
) -> None:
    """Ours is replaced before its end; one that GitHub refuses earlier costs one refused call."""
    await github.repositories()
    installed.server.clock.ahead_seconds += 3600
    await github.repositories()
    assert [status for _, status in exchanges.seen] == [200, 200]


async def test_the_wrong_key_is_told(
    server: GitHubServer, installed: Installed, exchanges: Exchanges
) -> None:
    other = server.set_up("other")
    async with client(installed, exchanges, key=other.private_key) as github:
        with pytest.raises(BadCredentials, match="App id and private key belong together"):
            await github.repositories()


async def test_an_organization_without_the_app_is_told(
    server: GitHubServer, installed: Installed, exchanges: Exchanges
) -> None:
    async with client(installed, exchanges, scope="elsewhere") as github:
        with pytest.raises(InstallationMissing, match="not installed in organization elsewhere"):
            await github.repositories()


async def test_the_numeric_app_id_works_as_well(installed: Installed, exchanges: Exchanges) -> None:
    async with client(installed, exchanges, app_id=str(installed.app_id)) as github:
        assert len(await github.repositories()) == 1
