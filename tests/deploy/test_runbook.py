"""The runbook without Terraform runs in a shell, its commands are gcloud's own, and it grants what the modules grant."""

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy import tree
from tests.deploy.runbook import (
    HOW_TO,
    NEEDS_GCLOUD,
    Calls,
    begins,
    called,
    complaints,
    console,
    flag,
    mentioned,
)

RUN_AS_A_WHOLE = {"install-with-gcloud.md", "direct-mode.md"}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Every call of gcloud in the runbook, run once from its first to its last block."""
    page = (HOW_TO / "install-with-gcloud.md").read_text()
    return called(console(page), tmp_path_factory.mktemp("runbook"), says="123456789")


@NEEDS_GCLOUD
def test_gcloud_knows_every_command_and_flag_of_the_runbook(calls: Calls, tmp_path: Path) -> None:
    distinct = list(dict.fromkeys(tuple(arguments) for arguments, _ in calls))
    one_cell = [each for each in distinct if each[1:4] != ("run", "worker-pools", "deploy")] + [
        next(each for each in distinct if each[1:4] == ("run", "worker-pools", "deploy"))
    ]
    assert complaints(one_cell, tmp_path) == []


@NEEDS_GCLOUD
def test_gcloud_knows_every_command_of_the_other_pages(tmp_path: Path) -> None:
    blocks = [
        block
        for page in sorted([*HOW_TO.glob("*.md"), *(tree.ROOT / "docs/reference").glob("*.md")])
        if page.name not in RUN_AS_A_WHOLE
        for block in console(page.read_text())
    ]
    written = mentioned(blocks)
    assert len(written) > 5
    assert complaints(written, tmp_path) == []


@NEEDS_GCLOUD
def test_a_flag_that_gcloud_does_not_have_is_found(calls: Calls, tmp_path: Path) -> None:
    (deploy,) = begins(calls, "run", "deploy")
    (complaint,) = complaints([[*deploy, "--always-there=1"]], tmp_path)
    assert "unrecognized arguments: --always-there=1" in complaint


def test_the_scalers_role_has_the_permissions_of_the_module(calls: Calls) -> None:
    (role,) = begins(calls, "iam", "roles", "create")
    module = tree.folder("modules/scaler").one("google_project_iam_custom_role.scaler").body["permissions"]
    assert flag(role, "permissions").split(",") == [tree.text(each) for each in module]


def test_a_deployment_with_a_dash_has_a_role_without_one(tmp_path: Path) -> None:
    page = (HOW_TO / "install-with-gcloud.md").read_text()
    calls = called(console(page.replace("DEPLOYMENT=ci ", "DEPLOYMENT=my-ci ")), tmp_path, says="123456789")
    (role,) = begins(calls, "iam", "roles", "create")
    (granted,) = begins(calls, "projects", "add-iam-policy-binding")
    assert role[3] == "my_ci_scaler"
    assert flag(granted, "role") == "projects/acme-ci/roles/my_ci_scaler"


def test_nobody_but_the_scaler_is_granted_anything_and_it_gets_what_the_module_gives(calls: Calls) -> None:
    grants = [arguments for arguments, _ in calls if "add-iam-policy-binding" in arguments]
    assert {flag(each, "member") for each in grants} == {
        "serviceAccount:ci-scaler@acme-ci.iam.gserviceaccount.com"
    }
    assert {(each[0], flag(each, "role")) for each in grants} == {
        ("projects", "projects/acme-ci/roles/ci_scaler"),
        ("iam", "roles/iam.serviceAccountUser"),
        ("storage", "roles/storage.objectUser"),
        ("secrets", "roles/secretmanager.secretAccessor"),
    }
    acting = next(each for each in grants if each[0] == "iam")
    assert "ci-linux@acme-ci.iam.gserviceaccount.com" in acting


def test_each_cell_has_its_labels_no_instance_and_a_secret_of_its_own(calls: Calls) -> None:
    made = [
        (arguments, read) for arguments, read in calls if arguments[1:4] == ["run", "worker-pools", "deploy"]
    ]
    assert len(made) == 10
    secrets = set()
    for arguments, (variables,) in made:
        assert flag(arguments, "labels") == (
            "runner-pool-deployment=ci,runner-pool-pool=linux,runner-pool-size=8"
        )
        assert flag(arguments, "scaling") == "0"
        assert flag(arguments, "service-account") == "ci-linux@acme-ci.iam.gserviceaccount.com"
        environment = yaml.safe_load(variables)
        assert environment["RUNNER_POOL_SCALER_URL"] == "https://ci-scaler-123456789.us-central1.run.app"
        assert len(environment["RUNNER_POOL_CELL_SECRET"]) == 64
        assert environment["RUNNER_POOL_CELL_SECRET"] not in " ".join(arguments)
        secrets.add(environment["RUNNER_POOL_CELL_SECRET"])
    assert len(secrets) == 10


def test_the_service_is_as_the_module_makes_it(calls: Calls) -> None:
    (deploy,) = begins(calls, "run", "deploy")
    assert {"--min-instances=1", "--max-instances=1", "--no-cpu-throttling", "--concurrency=1000"} <= set(
        deploy
    )
    assert "--no-invoker-iam-check" in deploy
    (clock,) = begins(calls, "scheduler", "jobs", "create", "http")
    assert flag(clock, "oidc-token-audience") == "https://ci-scaler-123456789.us-central1.run.app"
    assert flag(clock, "uri") == "https://ci-scaler-123456789.us-central1.run.app/tick"


def test_the_apis_are_those_of_the_minimal_example(calls: Calls) -> None:
    enabled = {each for call in begins(calls, "services", "enable") for each in call[2:]}
    example = tree.folder("examples/minimal").one("google_project_service.api").body["for_each"]
    named = set(re.findall(r"[a-z]+\.googleapis\.com", str(example)))
    assert named - enabled == {"cloudresourcemanager.googleapis.com"}  # Terraform's own need
    assert enabled <= named
