"""The stand-in Cloud Run treats real processes as the real one treats containers. The 10 s of a stop are real time."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import CloudDoor, Emulator, eventually, living_processes, running_emulator

MODULE = "tests.emulator_with_silent_github"
SLEEP = ["sleep", "1000"]
# Ends at SIGTERM like a container that behaves.
WAIT_FOR_SIGTERM = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
"""
PATIENT = [sys.executable, "-I", "-S", "-c", WAIT_FOR_SIGTERM]
# A tree that refuses every polite request: a deaf shell, a deaf child, and a deaf daemon that has left the session,
# lost its parent and dropped its environment.
DEAF_TREE = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", os.getpid(), flush=True)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)"], {})
    os._exit(0)
os.wait()
if os.fork() == 0:
    print("child", os.getpid(), flush=True)
    time.sleep(1000)
print("main", os.getpid(), flush=True)
time.sleep(1000)
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Emulator]:
    with running_emulator(tmp_path / "world", module=MODULE) as emulator:
        yield emulator


def set_busy(world: Emulator, instances: list[str]) -> None:
    world.github.http.put("/_control/busy", json={"instances": instances}).raise_for_status()


def gone(cloud: CloudDoor, instance: str, *, deadline_seconds: float = 20.0) -> dict[str, Any]:
    found = eventually(
        lambda: next(i for i in cloud.instances() if i["id"] == instance),
        lambda seen: seen["state"] == "gone",
        what=f"the end of {instance}",
        deadline_seconds=deadline_seconds,
    )
    assert isinstance(found, dict)
    return found


def is_alive(pid: int) -> bool:
    """A zombie is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def printed_pids(cloud: CloudDoor, instance: str, count: int) -> dict[str, int]:
    text = eventually(
        lambda: cloud.log(instance), lambda log: log.count("\n") >= count, what="the printed pids"
    )
    return {name: int(pid) for name, pid in (line.split() for line in text.splitlines())}


@pytest.mark.parametrize(("command", "code", "number"), [
    (["sh", "-c", "exit 0"], 0, None),
    (["sh", "-c", "exit 7"], 7, None),
    (["sh", "-c", "kill -9 $$"], None, 9),
    (["/no/such/program"], 127, None),
])  # fmt: skip
def test_an_exit_is_replaced_whatever_the_code(
    world: Emulator, command: list[str], code: int | None, number: int | None
) -> None:
    """The count stays what it was, and nobody counts it as a stop."""
    world.cloud.create_worker_pool("cell", command, count=1)
    ended = eventually(
        lambda: world.cloud.instances("cell", state="gone"),
        lambda seen: len(seen) >= 2,
        what="two ended instances",
    )
    assert {(i["exit_code"], i["signal"]) for i in ended} == {(code, number)}
    assert len({i["id"] for i in ended}) == len(ended)
    assert world.cloud.stops() == []


def test_lowering_the_count_stops_arbitrary_instances_busy_or_not(world: Emulator) -> None:
    """Over a few rounds busy and parked ones are hit, and each stop says which it was."""
    world.cloud.create_worker_pool("cell", PATIENT, count=0)
    victims_were_busy = []
    for _ in range(3):
        world.cloud.done(world.cloud.set_count("cell", 6))
        ids = [i["id"] for i in world.cloud.wait_for_running("cell", 6)]
        busy = ids[::2]
        set_busy(world, busy)
        before = len(world.cloud.stops())
        world.cloud.done(world.cloud.set_count("cell", 3))
        stops = world.cloud.stops()[before:]
        assert len(stops) == 3
        assert all(stop["cause"] == "scale-in" for stop in stops)
        assert all(stop["was_busy"] == (stop["instance"] in busy) for stop in stops)
        victims_were_busy += [stop["was_busy"] for stop in stops]
        world.cloud.wait_for_running("cell", 3)
    assert set(victims_were_busy) == {True, False}
    assert not any(stop["killed"] for stop in world.cloud.stops())


def test_a_deaf_tree_is_gone_right_after_ten_seconds(world: Emulator) -> None:
    """Also the daemon that left the session and has no environment by which it could be found."""
    world.cloud.create_worker_pool("cell", [sys.executable, "-I", "-S", "-c", DEAF_TREE], count=1)
    (instance,) = world.cloud.wait_for_running("cell", 1)
    pids = printed_pids(world.cloud, instance["id"], 3)
    assert pids["main"] == instance["pid"]
    assert all(is_alive(pid) for pid in pids.values())
    world.cloud.set_count("cell", 0)
    ended = gone(world.cloud, instance["id"], deadline_seconds=15)
    (stop,) = world.cloud.stops()
    assert stop["killed"]
    assert ended["signal"] == signal.SIGKILL
    assert 10.0 <= ended["ended_at"] - stop["at"] < 11.0
    assert not any(is_alive(pid) for pid in pids.values())


def test_what_the_main_process_leaves_behind_dies_with_it(world: Emulator) -> None:
    """As the kernel does with a container's PID namespace: no grace for daemons."""
    leaves = DEAF_TREE.replace('print("main", os.getpid(), flush=True)\ntime.sleep(1000)', "time.sleep(0.1)")
    world.cloud.create_worker_pool("cell", [sys.executable, "-I", "-S", "-c", leaves], count=1)
    ended = eventually(
        lambda: world.cloud.instances("cell", state="gone"), bool, what="the end of an instance"
    )
    pids = printed_pids(world.cloud, ended[0]["id"], 2)
    assert set(pids) == {"daemon", "child"}
    assert not any(is_alive(pid) for pid in pids.values())
    assert ended[0]["exit_code"] == 0


def test_a_changed_template_replaces_every_instance_busy_or_not(world: Emulator) -> None:
    """A new revision is a stop of all, and the new ones carry its name and its environment."""
    say = ["sh", "-c", "echo $CLOUD_RUN_WORKER_POOL_REVISION $COLOUR; exec sleep 1000"]
    world.cloud.create_worker_pool("cell", say, count=3, environment={"COLOUR": "red"})
    old = {i["id"] for i in world.cloud.wait_for_running("cell", 3)}
    set_busy(world, [min(old)])
    pool = world.cloud.worker_pool("cell")
    pool["template"]["containers"][0]["env"] = [{"name": "COLOUR", "value": "blue"}]
    after = world.cloud.done(world.cloud.patch_worker_pool("cell", pool, mask="template"))
    assert after["latestReadyRevision"] != pool["latestReadyRevision"]
    assert {stop["instance"] for stop in world.cloud.stops()} == old
    assert {stop["cause"] for stop in world.cloud.stops()} == {"revision"}
    assert [stop["instance"] for stop in world.cloud.stops() if stop["was_busy"]] == [min(old)]
    new = eventually(
        lambda: [i for i in world.cloud.instances("cell", state="running") if i["id"] not in old],
        lambda seen: len(seen) == 3,
        what="three instances of the new revision",
    )
    revision = after["latestReadyRevision"].rsplit("/", 1)[1]
    for instance in new:
        said = eventually(partial(world.cloud.log, instance["id"]), bool, what="its first line")
        assert said.split() == [revision, "blue"]


def test_a_preempted_instance_gets_sigterm_and_a_successor(world: Emulator) -> None:
    world.cloud.create_worker_pool("cell", PATIENT, count=1)
    (first,) = world.cloud.wait_for_running("cell", 1)
    eventually(lambda: world.cloud.log(first["id"]), bool, what="its first line")
    world.cloud.preempt(first["id"])
    assert gone(world.cloud, first["id"])["exit_code"] == 0
    (second,) = world.cloud.wait_for_running("cell", 1)
    assert second["id"] != first["id"]
    (stop,) = world.cloud.stops()
    assert (stop["cause"], stop["killed"]) == ("preempted", False)


def test_an_instance_sees_a_containers_environment_and_no_more(world: Emulator) -> None:
    """Nothing of the emulator's environment except what an image would bring."""
    show = "import json, os; print(json.dumps([dict(os.environ), os.getsid(0) == os.getpid()]), flush=True)"
    world.cloud.create_worker_pool(
        "cell", [sys.executable, "-I", "-S", "-c", show], count=1, environment={"GIVEN": "yes", "LANG": "tlh"}
    )
    (ended, *_) = eventually(
        lambda: world.cloud.instances("cell", state="gone"), bool, what="an ended instance"
    )
    environment, is_session_leader = json.loads(world.cloud.log(ended["id"]).splitlines()[0])
    assert is_session_leader
    assert environment["EMULATOR_INSTANCE"] == ended["id"]
    assert environment["CLOUD_RUN_WORKER_POOL"] == "cell"
    assert environment["CLOUD_RUN_WORKER_POOL_REVISION"].startswith("cell-00001-")
    assert environment["GCE_METADATA_HOST"].startswith("127.0.0.1:")
    assert (environment["GIVEN"], environment["LANG"]) == ("yes", "tlh")
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "PYTEST_CURRENT_TEST" not in environment


def test_nothing_is_left_after_sigterm_to_the_emulator(tmp_path: Path) -> None:
    """Deaf trees die at once: the world ends, nobody waits 10 s."""
    with running_emulator(tmp_path / "world", module=MODULE) as world:
        world.cloud.create_worker_pool("cell", [sys.executable, "-I", "-S", "-c", DEAF_TREE], count=2)
        pids = [
            pid
            for instance in world.cloud.wait_for_running("cell", 2)
            for pid in printed_pids(world.cloud, instance["id"], 3).values()
        ]
        began = time.monotonic()
        world.process.send_signal(signal.SIGTERM)
        assert world.process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert not any(is_alive(pid) for pid in pids)


def test_nothing_is_left_after_sigint_while_instances_start(tmp_path: Path) -> None:
    with running_emulator(tmp_path / "world", module=MODULE, time_factor=0) as world:
        world.cloud.create_worker_pool("cell", SLEEP, count=5)
        world.process.send_signal(signal.SIGINT)
        assert world.process.wait(10) == 0
        assert living_processes(world.state_directory) == {}


def test_instances_die_with_an_emulator_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL leaves no time to clean up; each instance's init sees its socket close."""
    with running_emulator(tmp_path / "world", module=MODULE) as world:
        world.cloud.create_worker_pool("cell", [sys.executable, "-I", "-S", "-c", DEAF_TREE], count=2)
        pids = [
            pid
            for instance in world.cloud.wait_for_running("cell", 2)
            for pid in printed_pids(world.cloud, instance["id"], 3).values()
        ]
        world.process.kill()
        world.process.wait(10)
        eventually(
            lambda: [pid for pid in pids if is_alive(pid)],
            lambda alive: not alive,
            what="the end of every process",
        )
        eventually(
            lambda: living_processes(world.state_directory), lambda left: not left, what="no process left"
        )


def test_an_instance_whose_init_is_killed_leaves_nothing_and_is_replaced(world: Emulator) -> None:
    """The emulator adopts what a killed init leaves behind and ends it."""
    world.cloud.create_worker_pool("cell", ["sh", "-c", "sleep 1000 & exec sleep 1000"], count=1)
    (instance,) = world.cloud.wait_for_running("cell", 1)
    status = Path(f"/proc/{instance['pid']}/stat").read_text()
    os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)
    ended = gone(world.cloud, instance["id"])
    assert (ended["exit_code"], ended["signal"]) == (None, None)
    assert not is_alive(instance["pid"])
    world.cloud.wait_for_running("cell", 1)
