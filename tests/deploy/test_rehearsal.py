"""From what Terraform makes to a green job on the stand-in cloud: its cells, its configuration, real scaler and agents."""

import copy
import os
from pathlib import Path

import pytest
import yaml

from tests.deploy.made import State, resources, worker_pool
from tests.deploy.terraform_program import Terraform
from tests.e2e.pool_world import AGENT, RUNNER, PoolWorld, pool_world, wait_until

WORKFLOW = """
name: first
on: push
jobs:
  hello:
    runs-on: [self-hosted, linux, x64]
    steps:
      - run: echo hello > {greeting}
"""


@pytest.mark.timeout(180)
def test_a_job_turns_green_in_a_cell_that_terraform_made(terraform: Terraform, tmp_path: Path) -> None:
    state = terraform.states("examples/minimal")["second"]
    with pool_world(tmp_path / "w", sizes=(), max_instances=10) as world:
        configure(world, state)
        made = create(world, state)
        world.start_scaler()
        greeting = tmp_path / "greeting"
        world.emulator.github.push("acme/widgets", {"first.yml": WORKFLOW.format(greeting=greeting)})
        wait_until(
            lambda: conclusions(world) == ["success"], seconds=60, what="the job is green", world=world
        )
        assert greeting.read_text() == "hello\n"
        wait_until(lambda: set(world.counts().values()) == {0}, seconds=60, what="all at zero", world=world)
        assert set(world.counts()) == made


def conclusions(world: PoolWorld) -> list[str | None]:
    return [job["conclusion"] for job in world.emulator.github.jobs()]


def configure(world: PoolWorld, state: State) -> None:
    """Lay Terraform's configuration over the world's; addresses, secrets and records stay those of the world."""
    (mounted,) = (
        each["values"]["secret_data"] for each in resources(state, "google_secret_manager_secret_version")
    )
    rendered = yaml.safe_load(mounted)
    here = copy.deepcopy(world.config)
    assert rendered["github"]["organization"] == "acme"
    world.config = {
        **rendered,
        **{key: here[key] for key in ("github", "cloud_run", "records", "service", "storage", "times")},
    }
    assert set(here) == set(world.config)


def create(world: PoolWorld, state: State) -> set[str]:
    """Make Terraform's worker pools over REST, with what an image would hold: the command, and which runner it starts."""
    cloud = world.emulator.cloud
    names = set()
    for each in resources(state, "google_cloud_run_v2_worker_pool"):
        body = worker_pool(each["values"])
        runner = body["template"]["containers"][0]
        runner["command"], runner["args"] = list(AGENT[:1]), list(AGENT[1:])
        local = {
            "RUNNER_POOL_SCALER_URL": world.forwarder.url,
            "RUNNER_POOL_RUNNER_COMMAND": RUNNER,
            "RUNNER_POOL_RUNNER_HOME": str(Path.cwd()),
            "RUNNER_POOL_ALLOW_SAME_USER": "yes",
            "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
        }
        kept = [pair for pair in runner["env"] if pair["name"] not in local]
        assert [pair["name"] for pair in kept] == ["RUNNER_POOL_CELL_SECRET"]
        runner["env"] = kept + [{"name": name, "value": value} for name, value in local.items()]
        name = each["values"]["name"]
        reply = cloud.http.post(f"/v2/{cloud.parent}/workerPools", params={"workerPoolId": name}, json=body)
        assert reply.status_code == 200, reply.text
        cloud.done(reply.json())
        names.add(name)
    return names
