"""Finished runs in the stand-in GitHub: the filters and the cap that its documentation gives, and our client on top of them.

Ran on: the stand-in GitHub, over a real socket. Each exchange is held against GitHub's published description.
"""

import itertools
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from emulator.github.jobs import Plan
from emulator.github.links import moment
from emulator.github.server import load_plan
from github_api.app_auth import AppKey
from github_api.client import GitHub
from github_api.finished import finished_runs
from github_api.secret import Secret
from github_api.values import Scope
from tests.emulator_github import Checked, FakeJob, FakePlan, GitHubServer, Installed
from tests.github_schema import check_exchange

NUMBERS = itertools.count(1)
QUARTER = 900  # two of them pass before a token ends
OVER_AT_ONCE = FakePlan(jobs=(FakeJob(key="docs", conclusion="skipped"),))


def loaded(text: str, *, filename: str) -> Plan:
    """A workflow file; without text a run that has ended when it has begun."""
    return load_plan(text, filename=filename) if text else OVER_AT_ONCE


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    with GitHubServer(plan_loader=loaded) as running:
        yield running


@pytest.fixture
def installed(server: GitHubServer) -> Installed:
    """An organization of the test's own."""
    return server.set_up(f"acme-{next(NUMBERS)}")


@pytest.fixture
def client(installed: Installed) -> Checked:
    return installed.as_installation()


@pytest.fixture
async def github(installed: Installed) -> AsyncIterator[GitHub]:
    """Our client; every exchange is checked, but of a long list the first page alone, since each takes a second."""

    async def check(response: httpx.Response) -> None:
        await response.aread()
        if "page" in response.request.url.params:
            return
        check_exchange(
            response.request.method,
            response.request.url.raw_path.decode(),
            json.loads(response.request.content) if response.request.content else None,
            response.status_code,
            response.json() if response.content else None,
        )

    async with (
        httpx.AsyncClient(event_hooks={"response": [check]}, trust_env=False) as http,
        GitHub(
            app_id=installed.client_id,
            key=AppKey.from_pem(Secret(installed.private_key)),
            scope=Scope.named(installed.organization),
            url=f"{installed.server.url}/api/v3",
            http=http,
            clock=installed.server.clock,
        ) as github,
    ):
        yield github


def push_finished(installed: Installed, how_many: int) -> list[int]:
    """So many runs that have ended, all made at the present moment."""
    made = installed.server.control(
        "POST",
        f"repositories/{installed.organization}/widgets/push",
        {"workflows": {f"over-{n}.yml": "" for n in range(how_many)}},
    )
    return [int(run_id) for run_id in made["runs"]]


def runs_path(installed: Installed) -> str:
    return f"/repos/{installed.organization}/widgets/actions/runs"


def test_completed_runs_of_a_range_are_listed_and_no_others(client: Checked, installed: Installed) -> None:
    """By status, and by the time of creation in each way of writing a range."""
    server, path = installed.server, runs_path(installed)
    [old] = push_finished(installed, 1)
    then = server.clock()
    server.pass_time(QUARTER)
    waiting = installed.push("build")
    [new] = push_finished(installed, 1)
    now = server.clock()

    def listed(query: str) -> list[int]:
        return [run["id"] for run in client.get(f"{path}?{query}").json()["workflow_runs"]]

    middle, end = moment(then + QUARTER / 2), moment(now + 1)
    assert listed("status=completed") == [new, old]
    assert listed(f"status=completed&created=>={middle}") == [new]
    assert listed(f"status=completed&created=<{middle}") == [old]
    assert listed(f"status=completed&created={middle}..{end}") == [new]
    assert listed(f"status=completed&created=*..{middle}") == [old]
    assert listed(f"status=completed&created={middle}..*") == [new]
    assert listed(f"created={middle}..*") == [new, waiting]


async def test_our_client_reads_past_the_thousand_that_a_search_shows(
    github: GitHub, client: Checked, installed: Installed
) -> None:
    """1,020 runs in a quarter of an hour: a search ends with the thousandth, and halves of the time give them all."""
    begun = installed.server.clock()
    made = push_finished(installed, 510)
    installed.server.pass_time(QUARTER)
    made += push_finished(installed, 510)
    until = installed.server.clock() + 1
    repository = f"{installed.organization}/widgets"

    search = f"{runs_path(installed)}?status=completed&per_page=10"
    last, beyond = client.get(f"{search}&page=100"), client.get(f"{search}&page=101")
    assert [run["id"] for run in last.json()["workflow_runs"]] == made[::-1][990:1_000]
    assert "next" not in last.links
    assert beyond.json()["workflow_runs"] == []

    found = [
        run.id
        async for runs in finished_runs(github, repository, since=begun - 1, until=until)
        for run in runs
    ]
    assert found == made[::-1]


async def test_the_jobs_of_finished_runs_say_when_they_were_queued_began_and_ended(
    github: GitHub, installed: Installed
) -> None:
    """A job that waits 40 seconds and works 90; GitHub's `started_at` stands in it from the beginning."""
    server, repository = installed.server, f"{installed.organization}/widgets"
    run_id = installed.push("build")
    [queued] = await github.jobs_of_run(repository, run_id, every_attempt=True)
    assert queued.started_at == queued.created_at
    server.pass_time(40)
    runner = installed.runner("linux-1")
    assert runner.open_session().is_success
    message = runner.acquire(runner.next_job()).json()
    server.pass_time(90)
    assert runner.complete(message, "succeeded").status_code == 204
    [ended] = await github.jobs_of_run(repository, run_id, every_attempt=True)
    assert ended.started_at is not None
    assert ended.completed_at is not None
    assert ended.started_at - ended.created_at == pytest.approx(40, abs=2)
    assert ended.completed_at - ended.started_at == pytest.approx(90, abs=2)
    assert (ended.workflow_name, ended.runner_group_name) == ("CI", "Default")
