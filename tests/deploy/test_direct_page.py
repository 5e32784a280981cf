"""The page on direct mode runs in a shell, its commands are gcloud's own, and what it writes is what agent and scaler read."""

import re
from pathlib import Path

import pytest
import yaml

from runner_agent.settings import WORKER_POOL, DirectSettings, load_settings
from scaler.config import Config, load_config
from scaler.config.model import Mode
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

PAGE = (HOW_TO / "direct-mode.md").read_text()
SCALER, CLOCK, RUNNERS = (f"ci-{who}@acme-ci.iam.gserviceaccount.com" for who in ("scaler", "clock", "linux"))
# Blocks with a prompt are examples: of docker, and of what comes later.
RUN = [block for block in console(PAGE) if not block.startswith("$ ")]
EXAMPLES = [block for block in console(PAGE) if block.startswith("$ ")]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Every call of gcloud, run once from the first to the last block."""
    return called(RUN, tmp_path_factory.mktemp("page"), says="")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The configuration as the page writes it."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path_factory.mktemp("config") / "runner-pool.yaml"
    file.write_text(text)
    return load_config(file, {})


@NEEDS_GCLOUD
def test_gcloud_knows_every_command_and_flag(calls: Calls, tmp_path: Path) -> None:
    distinct = list(dict.fromkeys(tuple(arguments) for arguments, _ in calls))
    cells = [each for each in distinct if each[1:4] == ("run", "worker-pools", "deploy")]
    named = re.findall(r"`(gcloud [^`]+)`", PAGE)
    assert len(named) == 2
    others = [each for each in distinct if each not in cells]
    assert complaints([*others, cells[0], *mentioned([*EXAMPLES, *named])], tmp_path) == []


def test_each_account_is_granted_what_the_page_says_and_the_cells_account_no_more(calls: Calls) -> None:
    grants = [arguments for arguments, _ in calls if "add-iam-policy-binding" in arguments]
    granted = sorted(
        (flag(each, "member").removeprefix("serviceAccount:"), each[0], flag(each, "role")) for each in grants
    )
    assert granted == sorted(
        [
            (SCALER, "projects", "projects/acme-ci/roles/ci_scaler"),
            (SCALER, "iam", "roles/iam.serviceAccountUser"),
            (SCALER, "storage", "roles/storage.objectUser"),
            (SCALER, "secrets", "roles/secretmanager.secretAccessor"),
            (SCALER, "secrets", "roles/secretmanager.secretAccessor"),
            (RUNNERS, "storage", "roles/storage.objectUser"),
            (RUNNERS, "secrets", "roles/secretmanager.secretAccessor"),
            (CLOCK, "run", "roles/run.invoker"),
        ]
    )
    (key,) = [each for each in grants if each[0] == "secrets" and flag(each, "member").endswith(RUNNERS)]
    assert "ci-scaler-app-key" in key


def test_the_scalers_role_has_the_permissions_of_the_module(calls: Calls) -> None:
    (role,) = begins(calls, "iam", "roles", "create")
    module = tree.folder("modules/scaler").one("google_project_iam_custom_role.scaler").body["permissions"]
    assert flag(role, "permissions").split(",") == [tree.text(each) for each in module]


def test_the_cells_variables_are_settings_of_the_agent_and_agree_with_the_configuration(
    calls: Calls, config: Config
) -> None:
    made = [
        (arguments, files)
        for arguments, files in calls
        if arguments[1:4] == ["run", "worker-pools", "deploy"]
    ]
    (pool,) = config.pools
    assert len(made) >= pool.max * 1.2
    for arguments, (variables,) in made:
        assert flag(arguments, "labels") == (
            "runner-pool-deployment=ci,runner-pool-pool=linux,runner-pool-size=4"
        )
        assert (flag(arguments, "scaling"), flag(arguments, "service-account")) == ("0", RUNNERS)
        settings = load_settings({**yaml.safe_load(variables), WORKER_POOL: arguments[4]}).registration
        assert isinstance(settings, DirectSettings)
        assert (settings.deployment, settings.pool, settings.records) == (
            config.deployment,
            pool.name,
            config.records,
        )
        assert list(settings.labels) == list(pool.labels)
        assert (settings.app_id, settings.scope) == (config.github.app_id, config.github.organization)
        assert settings.runner_group == pool.runner_group
        assert settings.job_timeout_seconds == pool.job_timeout.total_seconds()
        assert settings.listen_max_seconds == pool.listen_max.total_seconds()
        assert settings.app_key == str(config.github.private_key)


def test_the_clock_starts_the_job_that_runs_once_each_minute(calls: Calls, config: Config) -> None:
    assert config.mode is Mode.DIRECT
    (job,) = begins(calls, "run", "jobs", "deploy")
    assert flag(job, "args").split(",") == ["once", "--config", "/etc/runner-pool/runner-pool.yaml"]
    assert flag(job, "set-secrets") == "/etc/runner-pool/runner-pool.yaml=ci-scaler-config:1"
    assert (flag(job, "service-account"), flag(job, "max-retries")) == (SCALER, "0")
    (clock,) = begins(calls, "scheduler", "jobs", "create", "http")
    assert flag(clock, "uri") == (
        f"https://run.googleapis.com/v2/projects/acme-ci/locations/us-central1/jobs/{job[3]}:run"
    )
    assert (flag(clock, "schedule"), flag(clock, "oauth-service-account-email")) == ("* * * * *", CLOCK)
