"""What Terraform makes is what the programs read: each worker pool is a cell to the scaler, its configuration loads, its
variables are the agent's.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from google.cloud.run_v2 import Service, WorkerPool

from runner_agent.settings import LeasedSettings, load_settings
from scaler.cell_directory import CellDirectory
from scaler.cloud_run.wire import worker_pools
from scaler.config.load import load_config
from scaler.config.model import Config
from tests.deploy.made import State, resources, service, worker_pool
from tests.deploy.terraform_program import Terraform
from tests.factories import NOW


@pytest.fixture(scope="module", params=["examples/minimal", "examples/two_pools"])
def state(request: pytest.FixtureRequest, terraform: Terraform) -> State:
    """What an example has made at its second apply."""
    return terraform.states(request.param)["second"]


@pytest.fixture
def config(state: State, tmp_path: Path) -> Config:
    """The configuration that is mounted into the service, loaded as the service loads it."""
    (mounted,) = [
        each["values"]["secret_data"] for each in resources(state, "google_secret_manager_secret_version")
    ]
    written = yaml.safe_load(mounted)
    assert re.fullmatch(r"gs://[a-z0-9-]+/[a-z0-9-]+", written["records"])
    written["records"] = f"sqlite:{tmp_path}/records.db"
    file = tmp_path / "runner-pool.yaml"
    file.write_text(yaml.safe_dump(written))
    return load_config(file, {"PORT": "8080"})


def admin_api(values: State) -> State:
    """A worker pool as the Admin API shows it a moment after Terraform made it."""
    return {
        **worker_pool(values),
        "name": f"projects/{values['project']}/locations/{values['location']}/workerPools/{values['name']}",
        "uid": values["name"],
        "etag": '"1"',
        "generation": "1",
        "observedGeneration": "1",
    }


def test_the_scaler_finds_every_worker_pool_to_be_a_cell_without_fault(state: State, config: Config) -> None:
    shown = [admin_api(each["values"]) for each in resources(state, "google_cloud_run_v2_worker_pool")]
    read, _ = worker_pools(json.dumps({"workerPools": shown}).encode())
    names = [pool.name for pool in config.pools]
    directory = CellDirectory(deployment=config.deployment, pools=names, settle_seconds=80.0)
    directory.take(read, read_at=NOW)
    assert len(directory.cells) == len(shown) > 0
    assert {cell.fault for cell in directory.cells.values()} == {None}
    assert all(secret.reveal() for name in directory.cells for (secret,) in [directory.secrets(name)])


def test_each_pool_has_a_fifth_more_cells_than_its_max(state: State, config: Config) -> None:
    for pool in config.pools:
        cells = [
            each["values"]
            for each in resources(state, "google_cloud_run_v2_worker_pool")
            if each["values"]["labels"]["runner-pool-pool"] == pool.name
        ]
        assert len(cells) == -(-pool.max * 6 // 5)


def test_the_configuration_leads_the_scaler_to_this_deployment(state: State, config: Config) -> None:
    services = [each["values"] for each in resources(state, "google_cloud_run_v2_service")]
    (clock,) = [each["values"] for each in resources(state, "google_cloud_scheduler_job")]
    assert [service["name"] for service in services] == [f"{config.deployment}-scaler"]
    assert config.service.url == clock["http_target"][0]["oidc_token"][0]["audience"]
    assert clock["http_target"][0]["oidc_token"][0]["service_account_email"] in config.service.callers
    assert (config.service.host, config.service.port) == ("0.0.0.0", 8080)


def test_the_agent_starts_with_the_variables_of_a_cell(state: State, config: Config) -> None:
    for each in resources(state, "google_cloud_run_v2_worker_pool"):
        runner = each["values"]["template"][0]["containers"][0]
        env = {pair["name"]: pair["value"] for pair in runner["env"]}
        settings = load_settings({**env, "CLOUD_RUN_WORKER_POOL": each["values"]["name"]})
        assert isinstance(settings.registration, LeasedSettings)
        assert settings.registration.scaler_url == config.service.url


def test_googles_client_knows_every_member_of_a_cell_and_of_the_service(state: State) -> None:
    """All but the scaling mode, a disk and the redundancy of a GPU, which are newer than this client."""
    for each in resources(state, "google_cloud_run_v2_worker_pool"):
        form = worker_pool(each["values"])
        assert form["scaling"].pop("scalingMode") == "MANUAL"
        for volume in form["template"].get("volumes", []):
            assert volume["emptyDir"].pop("medium") == "DISK"
        read = WorkerPool.from_json(json.dumps(form), ignore_unknown_fields=False)
        assert read.template.containers[0].name == "runner"
        assert read.scaling.manual_instance_count == 0
    (made,) = resources(state, "google_cloud_run_v2_service")
    read_service = Service.from_json(json.dumps(service(made["values"])), ignore_unknown_fields=False)
    (container,) = read_service.template.containers
    assert container.resources.cpu_idle is False
    assert read_service.invoker_iam_disabled is True
    assert (
        read_service.template.scaling.min_instance_count,
        read_service.template.scaling.max_instance_count,
    ) == (1, 1)


def test_no_output_holds_a_secret(state: State) -> None:
    secrets = [each["values"]["result"] for each in resources(state, "random_password")]
    assert secrets
    outputs = json.dumps(state["outputs"])
    assert not any(secret in outputs for secret in secrets)
