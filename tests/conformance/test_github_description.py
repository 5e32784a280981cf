"""GitHub's published description: each operation in it is answered, and what it does not allow is refused."""

import pytest

from tests.emulator_github import (
    GitHubServer,
    Installed,
    jit_request,
    workflow,
)
from tests.github_schema import SchemaMismatchError, check_exchange
from tests.schemas.operations import OPERATIONS

ORG = "/orgs/acme/actions/runners"
REPO = "/repos/acme/widgets/actions/runners"


def test_every_extracted_operation_was_answered_by_the_stand_in(
    acme: Installed, server: GitHubServer
) -> None:
    """Each is called here once, well, so that none can be forgotten."""
    app, client = acme.as_app(), acme.as_installation()
    run_id = server.push(workflow("build", labels="[nobody]"))
    job_id = client.get(f"/repos/acme/widgets/actions/runs/{run_id}/jobs").json()["jobs"][0]["id"]
    values = {"org": "acme", "owner": "acme", "repo": "widgets", "run_id": run_id, "job_id": job_id}
    for number, (method, template) in enumerate(OPERATIONS):
        place = ORG if template.startswith("/orgs") else REPO
        made = client.post(f"{place}/generate-jitconfig", jit_request(f"for-{number}")).json()
        path = template.format(**values, runner_id=made["runner"]["id"], installation_id=acme.installation_id)
        body = jit_request(f"last-{number}") if template.endswith("jitconfig") else None
        needs_app = template.startswith("/app") or template.endswith("/installation")
        reply = (app if needs_app else client).request(method.upper(), path, body)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
    counted = {(one["method"].lower(), one["path"]) for one in server.control("GET", "requests")["requests"]}
    assert set(OPERATIONS) <= counted


@pytest.mark.parametrize(
    ("method", "path", "request_body", "status", "response_body", "said"),
    [
        ("GET", "/user", None, 200, {}, "not among"),
        ("PUT", "/app", None, 200, {}, "not among"),
        ("GET", "/orgs/a/actions/runners?names=x", None, 200, {"total_count": 0, "runners": []}, "'names'"),
        ("GET", "/orgs/a/actions/runners?page=x", None, 200, {"total_count": 0, "runners": []}, "page"),
        ("GET", "/orgs/a/actions/runners", None, 200, {"total_count": 0}, "runners"),
        ("GET", "/orgs/a/actions/runners", None, 201, {"total_count": 0, "runners": []}, "never answers 201"),
        (
            "GET",
            "/orgs/a/actions/runners",
            {},
            200,
            {"total_count": 0, "runners": []},
            "takes no request body",
        ),
        ("GET", "/orgs/a/actions/runners", None, 404, {"message": "Not Found"}, "documentation_url"),
        (
            "GET",
            "/repos/a/b/actions/runs?status=busy",
            None,
            200,
            {"total_count": 0, "workflow_runs": []},
            "busy",
        ),
        ("DELETE", "/orgs/a/actions/runners/1", None, 204, {}, "with a body"),
        ("POST", "/orgs/a/actions/runners/generate-jitconfig", {"name": "r"}, 201, {}, "required"),
        (
            "POST",
            "/orgs/a/actions/runners/generate-jitconfig",
            {**jit_request("r"), "label": 1},
            201,
            {},
            "label",
        ),
    ],
)
def test_the_description_refuses_what_is_not_githubs(
    *, method: str, path: str, request_body: object, status: int, response_body: object, said: str
) -> None:
    if response_body == {} and method == "DELETE":
        response_body = {"unexpected": True}
    with pytest.raises(SchemaMismatchError, match=said):
        check_exchange(method, path, request_body, status, response_body)


def test_a_null_is_only_allowed_where_github_says_so() -> None:
    runner = {"id": 1, "name": "r", "os": "linux", "status": "online", "busy": False, "labels": []}
    body = {"total_count": 1, "runners": [{**runner, "version": None}]}
    assert check_exchange("GET", "/api/v3/orgs/a/actions/runners", None, 200, body).endswith(
        "runners-for-org"
    )
    with pytest.raises(SchemaMismatchError, match="name"):
        check_exchange(
            "GET",
            "/orgs/a/actions/runners",
            None,
            200,
            {"total_count": 1, "runners": [{**runner, "name": None}]},
        )
