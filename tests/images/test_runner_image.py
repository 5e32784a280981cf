"""The runner's image as an instance: it parks, takes a lease, runs a job as another account, and ends as it is told."""

from pathlib import Path

import pytest

from emulator.cloud.container_engine import container_name
from runner_agent.contract import ExitReason
from tests.images.conftest import Images
from tests.images.image_world import ImageWorld, image_world, processes_of

pytestmark = pytest.mark.timeout(900)

LOOK_AROUND = """
name: images
on: push
jobs:
  look:
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          echo "ids: $(id -u):$(id -g):$(id -Gn)"
          echo "rights: $(grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -s '\\t\\n' ' ')"
          echo "workspace: $PWD"
          echo "work folder: $(stat -c '%U:%G' /home/runner/_work) $(stat -c %m /home/runner/_work)"
          echo "python variables: $(env | grep -c ^PYTHON || true)"
          echo "own variables: $(env | grep -c ^RUNNER_POOL_ || true)"
          echo "sudo: $(sudo -n id -u 2>&1 | head -1)"
          echo made > file
"""

LONG = """
name: images
on: push
jobs:
  long:
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          RUNNER_TRACKING_ID= setsid nohup sleep 1000 > /dev/null 2>&1 &
          {then}
"""


def said(log: str, topic: str) -> str:
    """What the look around found; the log also shows the commands themselves."""
    return next(line.removeprefix(f"{topic}: ") for line in log.splitlines() if line.startswith(f"{topic}: "))


def test_a_job_runs_in_a_container_as_an_account_without_any_right(images: Images, tmp_path: Path) -> None:
    """Count, container, lease, job; and after it nothing is left anywhere."""
    with image_world(tmp_path / "w", images, sizes=(1,)) as world:
        world.push(LOOK_AROUND)
        (job,) = world.all_completed(1)
        assert job["conclusion"] == "success", f"{job}\n{world.instance_logs()}"
        log = job["log"]
        assert said(log, "ids").startswith("1001:1001:runner"), log
        rights = said(log, "rights")
        assert rights.count("0000000000000000") == 2, rights
        assert "NoNewPrivs: 1" in rights
        assert said(log, "workspace").startswith("/home/runner/_work/"), log
        assert said(log, "work folder") == "runner:runner /home/runner/_work", (
            "the volume is there, and the runner's"
        )
        assert (said(log, "python variables"), said(log, "own variables")) == ("0", "0")
        assert not said(log, "sudo").isdigit(), log
        world.wait(world.nothing_left, seconds=60, what="nothing is left")
        assert world.instance(job["instance"])["exit_code"] == ExitReason.FINISHED.value
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []


def test_sigterm_ends_a_parked_instance_at_once(images: Images, tmp_path: Path) -> None:
    with image_world(tmp_path / "w", images, sizes=(1,), pool_settings={"min": 1}) as world:
        instance = world.the_instance()["id"]
        world.wait(
            lambda: "parked" in world.emulator.cloud.log(instance) or world.emulator.cloud.log(instance),
            seconds=30,
            what="the agent has parked",
        )
        preempt(world, instance)
        assert world.instance(instance)["exit_code"] == ExitReason.STOPPED_PARKED.value


@pytest.mark.parametrize("then", ["sleep 300", "trap '' INT TERM; while true; do sleep 1; done"])
def test_sigterm_in_the_middle_of_a_job_ends_everything_within_the_grace(
    images: Images, tmp_path: Path, then: str
) -> None:
    """Also a step that hears no signal, and what it has sent to the background; the scaler learns of it."""
    with image_world(tmp_path / "w", images, sizes=(1,)) as world:
        world.push(LONG.format(then=then))
        instance = world.the_instance()["id"]
        world.wait(
            lambda: any("sleep 1000" in line for line in processes_of({instance})) or world.jobs(),
            seconds=60,
            what="the step has sent a process to the background",
        )
        preempt(world, instance)
        assert world.instance(instance)["exit_code"] == ExitReason.PREEMPTED.value
        assert processes_of({instance}) == []
        assert container_name(instance) not in world.images.engine.containers()


def test_what_a_job_leaves_in_the_background_ends_with_the_job(images: Images, tmp_path: Path) -> None:
    with image_world(tmp_path / "w", images, sizes=(1,)) as world:
        world.push(LONG.format(then="true"))
        (job,) = world.all_completed(1)
        assert job["conclusion"] == "success", job
        gone = world.wait_until_gone(job["instance"])
        assert gone["exit_code"] == ExitReason.FINISHED.value
        world.wait(world.nothing_left, seconds=60, what="nothing is left")


def preempt(world: ImageWorld, instance: str) -> None:
    """The platform takes the instance away. Fails when it did not end by itself: SIGKILL comes after ten seconds."""
    world.emulator.cloud.preempt(instance)
    world.wait_until_gone(instance)
    (stop,) = [stop for stop in world.emulator.cloud.stops() if stop["instance"] == instance]
    assert (stop["cause"], stop["killed"]) == ("preempted", False), f"{stop}\n{world.instance_logs()}"
