"""The faults of the stand-in GitHub on a real socket, as our client and a runner by hand meet them.

Every exchange is held against GitHub's published description, also while a fault is on.
"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from github_api.app_auth import AppKey
from github_api.client import GitHub
from github_api.errors import BadCredentials, NameTaken, RateLimited, Unavailable
from github_api.secret import Secret
from github_api.values import Scope
from tests.emulator_github import GitHubServer, Installed, eventually, jit_request


@asynccontextmanager
async def our_client(installed: Installed) -> AsyncIterator[GitHub]:
    async with (
        httpx.AsyncClient(trust_env=False) as http,
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


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_door_shows_and_replaces_the_faults(healthy: GitHubServer) -> None:
    healthy.switch_on({"busy-lies": {}, "github-slow": {"seconds": 2}})
    seen = healthy.control("GET", "faults")
    assert seen["faults"] == {
        "busy-lies": {"share": 0.3, "after": 0, "most": 0},
        "github-slow": {"seconds": 2, "share": 0.1, "after": 0, "most": 0},
    }
    assert set(seen["struck"]) == set(seen["catalogue"])
    assert set(seen["catalogue"]["busy-lies"]) == {"sentence", "parameters", "source"}


@pytest.mark.parametrize("faults", [None, [], {"rain": {}}, {"cpu-quota": {}}, {"busy-lies": {"share": 2}},
                                    {"busy-lies": 1}, {"busy-lies": {"hours": 1}}])  # fmt: skip
def test_a_wrong_set_is_refused_and_changes_nothing(healthy: GitHubServer, faults: Any) -> None:
    reply = healthy.client.put(f"{healthy.url}/_control/faults", json={"faults": faults})
    assert reply.status_code == 400
    assert reply.json()["message"]
    assert healthy.control("GET", "faults")["faults"] == {}


def test_a_stand_in_can_begin_with_faults() -> None:
    with GitHubServer(faults={"github-5xx": {"share": 1, "most": 1}}) as server:
        installed = server.set_up()
        assert installed.as_app().get("/app").status_code in (502, 503)
        assert installed.as_app().get("/app").status_code == 200


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_broken_service_has_done_nothing_and_reads_are_tried_again(installed: Installed) -> None:
    async with our_client(installed) as github:
        assert await github.runners() == ()
        installed.server.switch_on({"github-5xx": {"share": 1, "most": 1}})
        assert await github.runners() == ()
        installed.server.switch_on({"github-5xx": {"share": 1, "most": 1}})
        with pytest.raises(Unavailable):
            await github.generate_jit_configuration(name="r", runner_group_id=1, labels=("a",))
        assert await github.runners() == ()
        assert installed.server.struck("github-5xx") >= 2


async def test_a_registration_whose_reply_was_lost_meets_its_own_ghost(installed: Installed) -> None:
    async with our_client(installed) as github:
        assert await github.runners() == ()
        installed.server.switch_on({"github-reply-lost": {"share": 1, "most": 1}})
        with pytest.raises(Unavailable):
            await github.generate_jit_configuration(name="twice", runner_group_id=1, labels=("a",))
        with pytest.raises(NameTaken):
            await github.generate_jit_configuration(name="twice", runner_group_id=1, labels=("a",))
        (ghost,) = await github.runners(name="twice")
        await github.delete_runner(ghost.id)
        assert await github.runners() == ()


async def test_a_slow_reply_comes_too_late_for_a_registration_that_was_made(installed: Installed) -> None:
    async with our_client(installed) as github:
        assert await github.runners() == ()
        installed.server.switch_on({"github-slow": {"seconds": 30, "share": 1, "most": 1}})
        with pytest.raises(Unavailable, match="No answer within"):
            await github.generate_jit_configuration(
                name="slow", runner_group_id=1, labels=("a",), timeout_seconds=0.5
            )
        assert [runner.name for runner in await github.runners()] == ["slow"]


def test_the_server_ends_although_a_reply_is_held_back() -> None:
    with GitHubServer() as server:
        client = server.set_up().as_installation()
        server.switch_on({"github-slow": {"seconds": 300, "share": 1}})
        with pytest.raises(httpx.ReadTimeout):
            server.client.get(f"{server.url}/installation/repositories", headers=client._headers, timeout=0.2)


async def test_a_used_up_allowance_says_when_it_comes_back(installed: Installed) -> None:
    installed.server.switch_on({"primary-limit": {"seconds": 100, "share": 1, "after": 3, "most": 1}})
    async with our_client(installed) as github:
        assert await github.runners() == ()
        with pytest.raises(RateLimited) as refused:
            await github.runners()
        assert refused.value.status == 403
        assert refused.value.until == pytest.approx(installed.server.clock() + 100, abs=3)
        installed.server.pass_time(101)
        assert await github.runners() == ()


@pytest.mark.parametrize("header_share", [0, 1])
@pytest.mark.parametrize(("forbidden_share", "status"), [(1, 403), (0, 429)])
async def test_a_secondary_limit_is_understood_in_every_form(
    installed: Installed, forbidden_share: int, status: int, header_share: int
) -> None:
    form = {"forbidden_share": forbidden_share, "header_share": header_share, "retry_after_seconds": 90}
    async with our_client(installed) as github:
        assert await github.runners() == ()
        installed.server.switch_on({"secondary-refusal": {"share": 1, "most": 1, **form}})
        with pytest.raises(RateLimited) as refused:
            await github.runners()
    assert refused.value.status == status
    pause = 90 if header_share else 60
    assert refused.value.until == pytest.approx(installed.server.clock() + pause, abs=3)


def test_a_refusal_of_a_secondary_limit_fits_githubs_description(installed: Installed) -> None:
    client = installed.as_installation()
    installed.server.switch_on({"secondary-limit": {"points_per_minute": 6, "retry_after_seconds": 60}})
    path = f"{installed.runners}/generate-jitconfig"
    assert client.post(path, jit_request("first")).status_code == 201
    assert client.get(installed.runners).status_code == 200
    refused = client.get(installed.runners)
    assert (refused.status_code, refused.headers["retry-after"]) == (403, "60")
    assert "secondary rate limit" in refused.json()["message"]
    assert int(refused.headers["x-ratelimit-remaining"]) > 0
    installed.server.pass_time(61)
    assert client.get(installed.runners).status_code == 200


def test_calls_that_are_open_at_once_are_counted(installed: Installed) -> None:
    """While one is held back a second is one too many; when its client has hung up there is room again."""
    server, client = installed.server, installed.as_installation()
    slow = {"seconds": 60, "share": 1, "most": 1}
    held_before = server.struck("github-slow")
    server.switch_on({"secondary-limit": {"concurrent": 1}, "github-slow": slow})
    url = f"{server.url}/api/v3{installed.runners}"
    with httpx.Client(trust_env=False, timeout=2) as other, ThreadPoolExecutor(1) as thread:
        held = thread.submit(other.get, url, headers=client._headers)
        eventually(lambda: server.struck("github-slow") > held_before, "one call is held back")
        assert client.get(installed.runners).status_code == 403
        assert isinstance(held.exception(), httpx.ReadTimeout)
    eventually(lambda: client.get(installed.runners).status_code == 200, "there is room again")


async def test_revoked_tokens_cost_our_client_one_more_call(installed: Installed) -> None:
    async with our_client(installed) as github:
        assert await github.runners() == ()
        installed.server.switch_on({"tokens-revoked": {"share": 1, "most": 1}})
        assert await github.runners() == ()
        assert installed.server.struck("tokens-revoked") >= 1


@pytest.mark.parametrize("ahead", [-120, 900])
async def test_a_clock_that_is_far_off_refuses_the_apps_token(installed: Installed, ahead: int) -> None:
    installed.server.switch_on({"clock-skew": {"seconds_ahead": ahead - 60 if ahead < 0 else ahead}})
    async with our_client(installed) as github:
        with pytest.raises(BadCredentials):
            await github.runners()


@pytest.mark.parametrize("ahead", [-60, 60])
async def test_a_clock_that_is_a_little_off_writes_its_own_times(installed: Installed, ahead: int) -> None:
    installed.server.switch_on({"clock-skew": {"seconds_ahead": ahead}})
    installed.push("build")
    async with our_client(installed) as github:
        repository = f"{installed.organization}/widgets"
        (run,) = await github.workflow_runs(repository, status="queued")
        (job,) = await github.jobs_of_run(repository, run.id)
    assert job.created_at == pytest.approx(installed.server.clock() + ahead, abs=3)


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────

OLD = {
    "runner-list-lag": {"seconds": 300},
    "busy-lag": {"seconds": 300},
    "run-hidden": {"seconds": 300},
    "job-list-empty": {"seconds": 300},
}
WRONG = {
    "runner-list-empty": {"share": 1, "most": 1},
    "runner-list-incomplete": {"share": 1, "most": 1},
    "busy-lies": {"share": 1, "most": 2},
    "run-list-empty": {"share": 1, "most": 1},
    "run-list-incomplete": {"share": 1, "most": 1},
    "run-shown-queued": {"seconds": 300},
    "job-lag": {"seconds": 300},
}


def test_every_list_fits_githubs_description_while_it_lies(installed: Installed) -> None:
    """Over the life of two jobs; each exchange is checked by the client, and every fault must have struck."""
    server, client = installed.server, installed.as_installation()
    before = server.control("GET", "faults")["struck"]
    runs = f"/repos/{installed.organization}/widgets/actions/runs"

    def look(run_id: int, times: int) -> None:
        for _ in range(times):
            for path in (installed.runners, f"{runs}?status=queued", f"{runs}?status=in_progress"):
                assert client.get(path).status_code == 200
            client.get(f"{installed.runners}/{runner.id}")
            assert client.get(f"{runs}/{run_id}/jobs").status_code == 200

    server.switch_on(OLD)
    runner = installed.runner("worker")
    run_id = installed.push("build")
    assert runner.open_session().is_success
    look(run_id, 1)
    server.switch_on(WRONG)
    job = runner.acquire(runner.next_job()).json()
    installed.push("waits")
    look(run_id, 3)
    assert runner.complete(job).is_success
    look(run_id, 1)
    never = [fault for fault in OLD | WRONG if server.struck(fault) == before[fault]]
    assert never == []
