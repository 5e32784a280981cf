"""How the stand-in cloud calls a container engine for one instance."""

from pathlib import Path
from typing import Any

import pytest

from emulator.cloud.container_engine import ContainerEngine, container_name, obstacle_to_containers
from emulator.cloud.launch import process_plan
from tests.emulator_cloud_story import Story

INSTANCE = "00" + "ab" * 31
DISK = {"name": "work", "emptyDir": {"medium": "DISK", "sizeLimit": "10Gi"}}
MOUNT = {"name": "work", "mountPath": "/mnt/work"}


def command_for(template: dict[str, Any]) -> tuple[str, ...]:
    plan = process_plan(
        template,
        project="p",
        worker_pool="cell",
        revision="cell-1",
        instance=INSTANCE,
        metadata_host="127.0.0.1:1",
        inherited={"PATH": "/bin"},
        secret_value=lambda *_: None,
    )
    engine = ContainerEngine(("podman", "run", "--rm"))
    made = engine.contained(
        plan, template, instance=INSTANCE, variables=plan.variables, directory=Path("/scratch/1")
    )
    assert made.environment == plan.environment
    return made.command


def test_an_image_runs_by_its_own_entry_point_with_its_variables_by_name_only() -> None:
    container = {"image": "runner", "env": [{"name": "SECRET", "value": "s3cret"}], "volumeMounts": [MOUNT]}
    command = command_for({"containers": [container], "volumes": [DISK]})
    assert command == (
        "podman", "run", "--rm", f"--name={container_name(INSTANCE)}", "--env=CLOUD_RUN_WORKER_POOL",
        "--env=CLOUD_RUN_WORKER_POOL_REVISION", "--env=EMULATOR_INSTANCE", "--env=GCE_METADATA_HOST",
        "--env=GCE_METADATA_IP", "--env=SECRET", "--volume=/scratch/1/work:/mnt/work", "runner",
    )  # fmt: skip


def test_a_command_replaces_the_entry_point_and_its_working_directory_is_the_containers() -> None:
    container = {"image": "runner", "command": ["sh", "-c"], "args": ["true"], "workingDir": "/srv"}
    assert command_for({"containers": [container]})[-4:] == (
        "--workdir=/srv",
        '--entrypoint=["sh", "-c"]',
        "runner",
        "true",
    )


@pytest.mark.parametrize(("template", "said"), [
    ({"containers": [{"image": "i"}], "volumes": [{"name": "s", "secret": {"secret": "x"}}]}, "no emptyDir"),
    ({"containers": [{"image": "i", "volumeMounts": [MOUNT]}]}, "not in the template"),
    ({"containers": [{"command": ["run"]}]}, "no image"),
])  # fmt: skip
def test_what_cannot_be_run_is_said(template: dict[str, Any], said: str) -> None:
    obstacle = obstacle_to_containers(template)
    assert obstacle is not None
    assert said in obstacle


def test_an_image_with_its_volume_can_be_run() -> None:
    template = {"containers": [{"image": "i", "volumeMounts": [MOUNT]}], "volumes": [DISK]}
    assert obstacle_to_containers(template) is None


@pytest.mark.parametrize(("images_run", "count"), [(True, 2), (False, 0)])
def test_a_worker_pool_without_a_command_starts_only_where_images_run(images_run: bool, count: int) -> None:
    story = Story(images_run=images_run)
    story.create(2, command=[])
    story.advance(60)
    assert len(story.running()) == count
