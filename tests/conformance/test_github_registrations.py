"""Registrations of runners in the stand-in GitHub's REST API, on a real socket; every exchange fits GitHub's description."""

import base64
import concurrent.futures
import json

import httpx
import pytest

from tests.emulator_github import (
    Checked,
    GitHubServer,
    Installed,
    Runner,
    jit_request,
    workflow,
)

ORG = "/orgs/acme/actions/runners"
REPO = "/repos/acme/widgets/actions/runners"


@pytest.mark.parametrize("place", [ORG, REPO])
def test_a_registration_is_made_found_and_deleted(github: Checked, place: str) -> None:
    made = github.post(f"{place}/generate-jitconfig", jit_request("one", work_folder="_w"))
    assert made.status_code == 201
    runner = made.json()["runner"]
    assert (runner["status"], runner["busy"], runner["os"], runner["ephemeral"]) == (
        "offline",
        False,
        "unknown",
        True,
    )
    assert [label["name"] for label in runner["labels"]] == ["self-hosted", "linux"]
    assert github.get(f"{place}?name=one").json()["runners"] == [runner]
    assert github.get(f"{place}?name=on").json()["total_count"] == 0
    assert github.get(f"{place}/{runner['id']}").json() == runner
    assert github.delete(f"{place}/{runner['id']}").status_code == 204
    assert github.get(f"{place}/{runner['id']}").status_code == 404
    assert github.delete(f"{place}/{runner['id']}").status_code == 404


def test_the_configuration_has_the_real_format(github: Checked, server: GitHubServer) -> None:
    made = github.post(f"{ORG}/generate-jitconfig", jit_request("format")).json()
    files = json.loads(base64.b64decode(made["encoded_jit_config"]))
    assert set(files) == {".runner", ".credentials", ".credentials_rsaparams"}
    settings, credentials, key = (json.loads(base64.b64decode(text)) for text in files.values())
    assert settings["AgentId"] == made["runner"]["id"]
    assert settings["AgentName"] == "format"
    assert (settings["Ephemeral"], settings["UseV2Flow"]) == (True, True)
    assert settings["ServerUrlV2"].startswith(server.url)
    assert credentials["Scheme"] == "OAuth"
    assert credentials["Data"]["authorizationUrlV2"].startswith(server.url)
    assert {name: len(base64.b64decode(part)) for name, part in key.items()} == {
        "d": 256,
        "dp": 128,
        "dq": 128,
        "exponent": 3,
        "inverseQ": 128,
        "modulus": 256,
        "p": 128,
        "q": 128,
    }
    assert Runner(made["encoded_jit_config"], server=server).ask_for_token().is_success


@pytest.mark.parametrize(
    ("request_body", "status", "said"),
    [
        ({"name": "r", "labels": ["a"]}, 422, "object is missing required key: runner_group_id"),
        ({"name": "r", "runner_group_id": 1}, 422, "object is missing required key: labels"),
        ({"runner_group_id": 1, "labels": ["a"]}, 422, "object is missing required key: name"),
        (jit_request("r" * 65), 422, "64"),
        (jit_request("r", labels=[]), 422, "1 to 100"),
        (jit_request("r", runner_group_id=2), 403, "GitHub-hosted"),
        (jit_request("r", runner_group_id=77), 404, "Not Found"),
    ],
)
def test_registrations_that_make_no_sense_are_refused(
    github: Checked, request_body: object, status: int, said: str
) -> None:
    reply = github.post(f"{ORG}/generate-jitconfig", request_body)
    assert reply.status_code == status
    assert said in reply.json()["message"]
    assert reply.json()["status"] == str(status)


def test_broken_json_is_refused(acme: Installed, server: GitHubServer) -> None:
    reply = httpx.post(
        f"{server.url}/api/v3{ORG}/generate-jitconfig",
        content=b"{",
        headers={"authorization": f"Bearer {acme.token()}"},
        trust_env=False,
    )
    assert (reply.status_code, reply.json()["message"]) == (400, "Problems parsing JSON")


def test_a_taken_name_is_a_conflict(github: Checked) -> None:
    assert github.post(f"{ORG}/generate-jitconfig", jit_request("taken")).status_code == 201
    refused = github.post(f"{ORG}/generate-jitconfig", jit_request("taken"))
    assert refused.status_code == 409
    assert refused.json()["message"] == "Already exists - A runner with the name taken already exists"


def test_of_many_calls_for_one_name_at_once_exactly_one_gets_it(github: Checked) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(
                lambda _: github.post(f"{ORG}/generate-jitconfig", jit_request("contested")).status_code,
                range(8),
            )
        )
    assert sorted(replies) == [201] + [409] * 7


def test_sixty_registrations_at_once_have_different_ids_and_keys(
    github: Checked, server: GitHubServer
) -> None:
    def made(number: int) -> str:
        reply = github.post(f"{ORG}/generate-jitconfig", jit_request(f"burst-{number}"))
        assert reply.status_code == 201, reply.text
        return str(reply.json()["encoded_jit_config"])

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        runners = [Runner(encoded, server=server) for encoded in pool.map(made, range(60))]
    assert len({runner.id for runner in runners}) == 60
    assert len({runner.key.private_numbers().p for runner in runners}) == 60
    listed = [one["id"] for page in github.pages(f"{ORG}?per_page=25", "runners") for one in page]
    assert {runner.id for runner in runners} <= set(listed)


def test_a_busy_runner_is_listed_as_busy_cannot_be_deleted_and_vanishes_with_its_job(
    server: GitHubServer,
) -> None:
    installed = server.set_up("busy")
    client = installed.as_installation()
    runners = "/orgs/busy/actions/runners"
    runner = installed.runner("worker")
    assert runner.open_session().is_success
    runner.poll_for_a_moment()
    listed = client.get(f"{runners}/{runner.id}").json()
    assert (listed["status"], listed["busy"], listed["os"], listed["version"]) == (
        "online",
        False,
        "Linux",
        "2.337.0",
    )
    server.push(workflow("build"), repository="busy/widgets")
    job = runner.acquire(runner.next_job()).json()
    assert client.get(f"{runners}/{runner.id}").json()["busy"] is True
    refused = client.delete(f"{runners}/{runner.id}")
    assert refused.status_code == 422
    assert "is still running a job" in refused.json()["message"]
    assert runner.complete(job).is_success
    assert client.get(f"{runners}/{runner.id}").status_code == 404
    assert client.get(runners).json()["runners"] == []


def test_runner_groups_are_listed_by_whom_they_serve(server: GitHubServer) -> None:
    client = server.set_up(
        "grouped",
        repositories=[{"name": "widgets"}, {"name": "site", "private": False}],
        runner_groups=[
            {"name": "big", "repositories": ["widgets"]},
            {"name": "Default", "allows_public_repositories": True},
        ],
    ).as_installation()
    path = "/orgs/grouped/actions/runner-groups"
    groups = {group["name"]: group for group in client.get(path).json()["runner_groups"]}
    assert {name: (group["default"], group["visibility"]) for name, group in groups.items()} == {
        "Default": (True, "all"),
        "big": (False, "selected"),
    }
    visible = client.get(f"{path}?visible_to_repository=site").json()["runner_groups"]
    assert [group["name"] for group in visible] == ["Default"]
    body = jit_request("grouped", runner_group_id=groups["big"]["id"])
    made = client.post("/orgs/grouped/actions/runners/generate-jitconfig", body).json()
    assert made["runner"]["runner_group_id"] == groups["big"]["id"]
