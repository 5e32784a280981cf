"""The runner's side of the stand-in GitHub on a real socket: token, session, messages, job, log, webhooks."""

import concurrent.futures
import contextlib
import hashlib
import json
from datetime import datetime
from typing import Any

import httpx
import pytest

from emulator.github.jobs import LOST_COMMUNICATION
from emulator.github.keys import new_key
from emulator.github.runners import RegistrationState
from tests.emulator_github import GitHubServer, Installed, eventually, workflow


@pytest.fixture
def installed(server: GitHubServer, request: pytest.FixtureRequest) -> Installed:
    """An organization for this test alone."""
    return server.set_up(f"org-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}")


def push(installed: Installed, *names: str) -> list[int]:
    """One run with one job for each name; the ids of the jobs."""
    at = installed.server
    run_id = at.push(workflow(*names), repository=f"{installed.organization}/widgets")
    return [job["id"] for job in at.control("GET", "jobs")["jobs"] if job["run_id"] == run_id]


def test_a_job_goes_to_a_runner_and_back(installed: Installed) -> None:
    [job_id] = push(installed, "build")
    runner = installed.runner("one", instance="instance-1")
    opened = runner.open_session()
    assert (opened.status_code, opened.json()["agent"]["name"]) == (200, "one")
    assert "encryptionKey" not in opened.json()
    reference = runner.next_job()
    assert installed.server.stand_in.busy_instances() == {"instance-1"}
    acknowledged = runner.broker(
        "POST",
        f"acknowledge?sessionId={runner.session_id}",
        {"runnerRequestId": reference["runner_request_id"]},
    )
    assert acknowledged.is_success
    job = runner.acquire(reference).json()
    assert job["jobDisplayName"] == "build"
    seen = installed.server.job(job_id)
    assert (seen["status"], seen["instance"], seen["attempts"]) == ("in_progress", "instance-1", 1)
    locked_until = datetime.fromisoformat(runner.renew(job).json()["lockedUntil"])
    assert locked_until.timestamp() > seen["started_at"]
    log_url = job["variables"]["system.emulator.log_url"]["value"]
    for text in ("first\n", "second ✓\n"):
        assert installed.server.client.post(log_url, content=text.encode()).is_success
    assert runner.complete(job, "failed").is_success
    seen = installed.server.job(job_id)
    assert (seen["status"], seen["conclusion"], seen["log"]) == ("completed", "failure", "first\nsecond ✓\n")
    assert seen["created_at"] <= seen["queued_at"] <= seen["started_at"] <= seen["completed_at"]
    assert installed.server.stand_in.busy_instances() == frozenset()


def test_a_poll_that_is_open_hears_of_a_job_at_once(installed: Installed) -> None:
    runner = installed.runner("early")
    assert runner.open_session().is_success
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polling = pool.submit(runner.next_job)
        push(installed, "build")
        assert runner.acquire(polling.result(timeout=20)).is_success


def test_outputs_reach_the_jobs_that_need_them(installed: Installed) -> None:
    text = """
name: chain
on: push
jobs:
  first:
    runs-on: self-hosted
    outputs: {word: "${{ steps.one.outputs.word }}"}
    steps: [{id: one, run: "true"}]
  second:
    needs: first
    if: needs.first.outputs.word == 'go'
    runs-on: self-hosted
    steps: [{run: "true"}]
  third:
    needs: first
    if: needs.first.outputs.word == 'stop'
    runs-on: self-hosted
    steps: [{run: "true"}]
"""
    run_id = installed.server.push(text, repository=f"{installed.organization}/widgets")
    runner = installed.runner("one")
    assert runner.open_session().is_success
    job = runner.acquire(runner.next_job()).json()
    assert runner.complete(job, "succeeded", outputs={"word": {"value": "go", "isSecret": False}}).is_success
    jobs = [job for job in installed.server.control("GET", "jobs")["jobs"] if job["run_id"] == run_id]
    assert {job["name"]: (job["status"], job["conclusion"]) for job in jobs} == {
        "first": ("completed", "success"),
        "second": ("queued", None),
        "third": ("completed", "skipped"),
    }
    installed.runner("two").run_one_job()
    path = f"/repos/{installed.organization}/widgets/actions/runs/{run_id}"
    assert installed.as_installation().get(path).json()["conclusion"] == "success"


def test_a_second_session_is_a_conflict(installed: Installed) -> None:
    runner = installed.runner("one")
    assert runner.open_session().is_success
    again = runner.open_session()
    assert (again.status_code, again.json()["errorMessage"]) == (
        409,
        "A session for this runner already exists.",
    )
    assert runner.broker("DELETE", "session").is_success
    assert runner.open_session().is_success


def test_a_deleted_registration_is_told_to_an_open_poll_and_gets_no_token(installed: Installed) -> None:
    runner = installed.runner("one")
    assert runner.open_session().is_success
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polling = pool.submit(runner.poll)
        path = f"/orgs/{installed.organization}/actions/runners/{runner.id}"
        client = installed.as_installation()
        eventually(lambda: client.get(path).json()["status"] == "online", "the runner listens")
        assert client.delete(path).status_code == 204
        told = polling.result(timeout=20)
    assert told.json() == {
        "source": "actions-broker-listener",
        "errorKind": "RunnerNotFound",
        "statusCode": told.status_code,
        "errorMessage": "Runner not found",
    }
    refused = runner.ask_for_token()
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")


def test_one_registration_cannot_be_used_twice(installed: Installed) -> None:
    push(installed, "build")
    runner = installed.runner("one")
    runner.run_one_job()
    assert runner.ask_for_token().json()["error"] == "invalid_client"


def test_a_token_needs_the_runners_own_key(installed: Installed) -> None:
    runner = installed.runner("one")
    assert runner.ask_for_token(key=new_key()).json()["error"] == "invalid_client"
    assert runner.ask_for_token(aud="http://elsewhere/").json()["error"] == "invalid_client"
    assert runner.ask_for_token(exp=1).json()["error"] == "invalid_client"
    assert runner.ask_for_token().json()["token_type"] == "Bearer"


def test_the_broker_wants_a_token_a_session_and_json(installed: Installed) -> None:
    runner = installed.runner("one")
    assert runner.broker("POST", "session", {}).status_code == 401
    assert runner.open_session().is_success
    runner.session_id = "00000000-0000-0000-0000-000000000000"
    wrong = runner.poll()
    assert (wrong.status_code, wrong.json()["errorKind"]) == (401, "RunnerSessionInvalid")
    assert runner.broker("POST", "session", []).status_code == 400


def test_renewing_and_completing_is_for_the_holder_of_the_job(installed: Installed) -> None:
    push(installed, "a", "b")
    one, two = installed.runner("one"), installed.runner("two")
    jobs = []
    for runner in (one, two):
        assert runner.open_session().is_success
        jobs.append(runner.acquire(runner.next_job()).json())
    swapped = {**jobs[0], "resources": jobs[1]["resources"]}
    assert two.renew(swapped).status_code == 403
    assert two.complete(swapped).status_code == 403
    wrong_plan = {**jobs[0], "plan": jobs[1]["plan"]}
    lost = one.complete(wrong_plan)
    assert (lost.status_code, lost.json()["source"]) == (404, "actions-run-service")
    assert one.complete(jobs[0], "nonsense").status_code == 400
    assert one.complete(jobs[0]).is_success
    assert one.complete(jobs[0]).status_code == 404
    assert one.renew(jobs[0]).status_code == 404


def test_acquiring_an_unknown_a_taken_and_an_ended_job_has_three_answers(installed: Installed) -> None:
    push(installed, "build")
    runner = installed.runner("one")
    assert runner.open_session().is_success
    reference = runner.next_job()
    unknown = runner.acquire({**reference, "runner_request_id": "nothing"})
    job = runner.acquire(reference).json()
    taken = runner.acquire(reference)
    assert runner.complete(job).is_success
    ended = runner.acquire(reference)
    assert [reply.status_code for reply in (unknown, taken, ended)] == [404, 409, 422]
    for reply in (unknown, taken, ended):
        assert reply.json()["source"] == "actions-run-service"
        assert reply.json()["statusCode"] == reply.status_code


def test_a_busy_poll_is_given_no_job_and_does_not_make_a_runner_listen(installed: Installed) -> None:
    runner = installed.runner("one")
    assert runner.open_session().is_success
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polling = pool.submit(runner.poll, status="Busy", timeout=0.5)
        [job_id] = push(installed, "build")
        with contextlib.suppress(httpx.ReadTimeout):
            raise AssertionError(polling.result(timeout=20).text)
    assert installed.server.job(job_id)["attempts"] == 0


def test_a_runner_that_has_hung_up_is_given_no_job(installed: Installed) -> None:
    """A killed runner's poll ends with its connection; the job then goes to one that listens."""
    dead = installed.runner("dead")
    assert dead.open_session().is_success
    runners = installed.server.stand_in._site.world.runners
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polling = pool.submit(dead.poll, timeout=3.0)
        eventually(runners.listening, "the stand-in has seen the poll")
        assert isinstance(polling.exception(timeout=20), httpx.ReadTimeout)
    eventually(lambda: not runners.listening(), "the stand-in has seen the end of the connection")
    [job_id] = push(installed, "build")
    living = installed.runner("living")
    living.run_one_job()
    seen = installed.server.job(job_id)
    assert (seen["runner_name"], seen["attempts"], seen["conclusion"]) == ("living", 1, "success")


def test_a_failing_sibling_cancels_a_running_job_by_a_message(installed: Installed) -> None:
    text = """
name: matrix
on: push
jobs:
  build:
    strategy: {matrix: {n: [1, 2]}}
    runs-on: self-hosted
    steps: [{run: "true"}]
"""
    run_id = installed.server.push(text, repository=f"{installed.organization}/widgets")
    one, two = installed.runner("one"), installed.runner("two")
    jobs = []
    for runner in (one, two):
        assert runner.open_session().is_success
        jobs.append(runner.acquire(runner.next_job()).json())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polling = pool.submit(two.poll, status="Busy")
        assert one.complete(jobs[0], "failed").is_success
        message = polling.result(timeout=20).json()
    assert message["messageType"] == "JobCancellation"
    assert json.loads(message["body"])["jobId"] == jobs[1]["jobId"]
    assert two.complete(jobs[1], "canceled").is_success
    path = f"/repos/{installed.organization}/widgets/actions/runs/{run_id}"
    client = installed.as_installation()
    assert client.get(path).json()["conclusion"] == "failure"
    assert [job["conclusion"] for job in client.get(f"{path}/jobs").json()["jobs"]] == [
        "failure",
        "cancelled",
    ]


def test_a_job_that_was_not_picked_up_goes_to_the_next_runner(installed: Installed) -> None:
    """And the first one's registration is gone, although it goes on listening: a ghost."""
    server = installed.server
    [job_id] = push(installed, "build")
    ghost = installed.runner("ghost")
    assert ghost.open_session().is_success
    reference = ghost.next_job()
    client = installed.as_installation()
    path = f"/orgs/{installed.organization}/actions/runners/{ghost.id}"
    assert client.get(path).json()["busy"] is True
    server.pass_time(61)
    eventually(lambda: client.get(path).status_code == 404, "the registration is consumed")
    assert ghost.acquire(reference).status_code == 404
    ghost.poll_for_a_moment()
    installed.runner("second").run_one_job()
    seen = server.job(job_id)
    assert (seen["runner_name"], seen["attempts"], seen["conclusion"]) == ("second", 2, "success")


def test_a_job_whose_runner_has_died_fails_with_githubs_words(installed: Installed) -> None:
    server = installed.server
    [job_id] = push(installed, "build")
    runner = installed.runner("dying", instance="instance-9")
    assert runner.open_session().is_success
    job = runner.acquire(runner.next_job()).json()
    server.pass_time(590)
    assert runner.renew(job).is_success
    server.pass_time(540)
    assert server.job(job_id)["status"] == "in_progress"
    assert server.stand_in.busy_instances() == {"instance-9"}
    server.pass_time(61)
    seen = eventually(
        lambda: (seen := server.job(job_id))["status"] == "completed" and seen, "the lock expires"
    )
    assert (seen["conclusion"], seen["message"]) == ("failure", LOST_COMMUNICATION)
    assert runner.renew(job).status_code == 404
    assert runner.complete(job).status_code == 404
    assert server.stand_in.busy_instances() == frozenset()


def test_what_github_does_by_itself_needs_nobody_to_ask() -> None:
    """In a world that runs two hundred times as fast a job is taken back although no call comes in."""
    with GitHubServer(time_factor=0.005) as server:
        installed = server.set_up()
        [job_id] = push(installed, "build")
        runner = installed.runner("ghost")
        assert runner.open_session().is_success
        runner.next_job()
        registration = server.stand_in._site.world.runners._registrations[runner.id]
        eventually(lambda: registration.state is RegistrationState.CONSUMED, "the job is taken back")
        assert server.job(job_id)["status"] == "queued"


def test_the_control_door_says_what_is_wrong(server: GitHubServer, installed: Installed) -> None:
    def refused(method: str, path: str, body: Any) -> tuple[int, str]:
        reply = server.client.request(method, f"{server.url}/_control/{path}", json=body)
        return reply.status_code, reply.json()["message"]

    push_path = f"repositories/{installed.organization}/widgets/push"
    assert refused("POST", "setup", {"organization": installed.organization})[0] == 409
    assert refused("POST", "setup", {"repositories": []}) == (
        422,
        "organization must be a text that is not empty",
    )
    assert refused("POST", "setup", []) == (422, "the body must be a JSON object")
    assert refused("POST", "repositories/nobody/nothing/push", {"workflows": {}})[0] == 404
    status, message = refused("POST", push_path, {"workflows": {"ci.yml": "on: push\njobs: 3"}})
    assert status == 422
    assert "ci.yml" in message
    assert refused("POST", push_path, {"workflows": ["ci.yml"]})[0] == 422
    assert server.control(
        "POST",
        push_path,
        {"workflows": {"ci.yml": "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: ls}]}}"}},
    ) == {"runs": []}
