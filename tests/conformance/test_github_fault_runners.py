"""The faults of the stand-in GitHub that a runner meets, told to a runner by hand on a real socket."""

import json
from typing import Any

import httpx

from tests.emulator_github import Checked, Installed, Runner


def busy_runner(installed: Installed) -> tuple[Runner, dict[str, Any]]:
    runner = installed.runner("worker")
    assert runner.open_session().is_success
    installed.push("build")
    return runner, runner.acquire(runner.next_job()).json()


def test_deleting_a_busy_runner_succeeds_and_its_next_poll_says_that_it_is_gone(installed: Installed) -> None:
    client = installed.as_installation()
    runner, job = busy_runner(installed)
    installed.server.switch_on({"busy-deleted": {}})
    assert client.delete(f"{installed.runners}/{runner.id}").status_code == 204
    told = runner.poll(status="Busy")
    assert (told.status_code, told.json()["errorKind"]) == (404, "RunnerNotFound")
    assert runner.complete(job, "canceled").is_success


def test_a_user_who_cancels_a_job_has_its_runner_told(installed: Installed) -> None:
    installed.server.switch_on({"cancelled-by-user": {"seconds": 0.1}})
    runner, job = busy_runner(installed)
    told = runner.poll(status="Busy").json()
    assert told["messageType"] == "JobCancellation"
    assert json.loads(told["body"])["jobId"] == job["jobId"]
    assert runner.complete(job, "canceled").is_success


def test_a_version_that_is_too_old_is_refused_at_the_poll_and_known_to_the_rest_api(
    installed: Installed,
) -> None:
    client = installed.as_installation()
    path = f"{installed.runners}/deprecations/2.337.0"
    good = unchecked(client, path).json()
    assert good == {
        "runner_version": "2.337.0",
        "registration_deprecates_at": None,
        "runtime_deprecates_at": None,
    }
    installed.server.switch_on({"version-refused": {}})
    runner = installed.runner("old")
    assert runner.open_session().is_success
    refused = runner.poll()
    assert (refused.status_code, refused.json()["errorKind"]) == (403, "RunnerVersionTooOld")
    assert unchecked(client, path).json()["runtime_deprecates_at"] is not None
    assert unchecked(client, f"{installed.runners}/deprecations/new").status_code == 404


def unchecked(client: Checked, path: str) -> httpx.Response:
    """A call that GitHub's description, as it is kept here, does not have."""
    return client._client.get(f"{client._url}/api/v3{path}", headers=client._headers)


def test_the_poll_of_an_idle_runner_ends_when_github_removes_it(installed: Installed) -> None:
    installed.server.switch_on({"idle-runner-removed": {"seconds": 0.3, "spread_seconds": 0}})
    runner = installed.runner("idle")
    assert runner.open_session().is_success
    told = runner.poll()
    assert (told.status_code, told.json()["errorKind"]) == (404, "RunnerNotFound")


def test_a_job_that_was_cancelled_before_its_pick_up_leaves_a_ghost_that_hears_nothing(
    installed: Installed,
) -> None:
    runner = installed.runner("ghost")
    assert runner.open_session().is_success
    installed.push("build")
    installed.server.switch_on({"cancelled-before-pick-up": {"share": 1, "most": 1}})
    assert runner.acquire(runner.next_job()).status_code in (404, 409, 422)
    installed.push("another")
    runner.poll_for_a_moment()
    assert installed.as_installation().get(installed.runners).json()["runners"] == []


def test_what_goes_wrong_in_the_runner_is_told_in_the_job_and_only_while_it_is_on(
    installed: Installed,
) -> None:
    installed.server.switch_on({"runner-dies": {"seconds": 3, "most": 1}, "forged-lines": {"most": 1}})
    _, struck_job = busy_runner(installed)
    variable = json.loads(struck_job["variables"]["system.emulator.runner_faults"]["value"])
    assert variable == {"runner-dies": {"seconds": 3}, "forged-lines": {}}
    second = installed.runner("second")
    assert second.open_session().is_success
    installed.push("another")
    healthy = second.acquire(second.next_job()).json()
    assert "system.emulator.runner_faults" not in healthy["variables"]
    acquired = [job["acquired"] for job in installed.server.control("GET", "jobs")["jobs"]]
    assert acquired[-2:] == [1, 1]
