"""A rollout while Cloud Run refuses, falls silent and takes its time: every cell is changed, and what was lost is looked up."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pool_world import POOL, PoolWorld, kill_hard, pool_world, wait_until
from tests.stories.test_rollout import NEW, begin, holds, images, worker_pools

FAULTS = {
    "stale-etag": {"share": 0.5, "most": 4},
    "reply-lost": {"share": 1, "after": 1, "most": 3},
    "unavailable": {"share": 0.2, "most": 6},
    "operation-stuck": {"seconds": 2, "share": 0.5},
}


@pytest.mark.timeout(120)
def test_every_cell_is_changed_though_writes_are_refused_unanswered_and_slow(tmp_path: Path) -> None:
    """Eight cells that have no record yet; each of the faults must have struck, or the story proves nothing."""
    with pool_world(tmp_path / "w", sizes=(1,) * 8, max_instances=8) as world:
        door = world.emulator.cloud.http
        door.put("/_control/faults", json={"faults": FAULTS}).raise_for_status()
        done = world.run(
            "rollout", "--pool", POOL, "--image", NEW, "--no-canary", "--at-once", "8", "--timeout", "90s"
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        struck = door.get("/_control/faults").json()["struck"]
        assert all(struck[fault] for fault in FAULTS), struck
        door.put("/_control/faults", json={"faults": {}}).raise_for_status()
        assert (set(images(world)), set(holds(world).values())) == ({NEW}, {""})
        assert {pool["status"] for pool in world.emulator.cloud.writes()} >= {200, 409, 503}


def changes_of(writes: Sequence[Mapping[str, Any]]) -> int:
    """How often a worker pool was changed."""
    return [each["method"] for each in writes].count("PATCH")


@pytest.mark.timeout(120)
def test_values_that_cloud_run_keeps_in_another_form_are_written_once(tmp_path: Path) -> None:
    """A form that is known is as wished; one that is not ends the command after one write, and no cell stays held."""
    changes = ("--env", "FLAG=", "--cpu", "2000m", "--memory", "8192Mi", "--no-canary", "--at-once", "3")
    with pool_world(tmp_path / "w", sizes=(1,) * 3, max_instances=3) as world:
        cloud = world.emulator.cloud
        cloud.http.put("/_control/normal_form", json={"shown": True}).raise_for_status()
        done = world.run("rollout", "--pool", POOL, "--image", NEW, *changes, "--timeout", "60s")
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        first = [each["template"]["containers"][0] for each in worker_pools(world).values()]
        assert [each["resources"]["limits"] for each in first] == [{"cpu": "2", "memory": "8Gi"}] * 3
        assert all({"name": "FLAG"} in each["env"] for each in first)
        assert changes_of(cloud.writes()) == 3, cloud.writes()

        ended = world.run("rollout", "--pool", POOL, "--image", "runner-pool/other", "--timeout", "60s")
        assert ended.returncode == 12, f"{ended.stdout}{ended.stderr}"
        assert "image is runner-pool/other:latest, not runner-pool/other" in ended.stderr
        assert (changes_of(cloud.writes()), set(holds(world).values())) == (4, {""})


def held_by_a_rollout(world: PoolWorld) -> object:
    """True while a rollout is at work in a cell."""
    return any(hold.startswith("rollout ") for hold in holds(world).values()) or holds(world)


@pytest.mark.timeout(120)
def test_a_second_rollout_respects_a_killed_one_or_takes_over_and_an_interrupted_one_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    """A killed command cannot say that it is over; one that is interrupted lets go of what it holds."""
    quick = ("--no-canary", "--timeout", "60s")
    with pool_world(tmp_path / "w", sizes=(1,) * 3, max_instances=3) as world:
        door = world.emulator.cloud.http
        stuck = {"faults": {"operation-stuck": {"seconds": 3}}}
        door.put("/_control/faults", json=stuck).raise_for_status()
        first = begin(world, "rollout", "--pool", POOL, "--image", NEW, *quick)
        wait_until(lambda: held_by_a_rollout(world), seconds=30, what="a cell is held", world=world)
        kill_hard(first)
        refused = world.run("rollout", "--pool", POOL, "--image", "runner-pool/other", *quick)
        assert refused.returncode == 13, f"{refused.stdout}{refused.stderr}"
        assert "it is held by another rollout (" in refused.stderr
        assert "--take-over" in refused.stderr
        assert held_by_a_rollout(world) is True
        door.put("/_control/faults", json={"faults": {}}).raise_for_status()
        taken = world.run("rollout", "--pool", POOL, "--image", "runner-pool/other", "--take-over", *quick)
        assert taken.returncode == 0, f"{taken.stdout}{taken.stderr}"
        assert (set(images(world)), set(holds(world).values())) == ({"runner-pool/other"}, {""})

        door.put("/_control/faults", json=stuck).raise_for_status()
        for number in (signal.SIGINT, signal.SIGTERM):
            second = begin(
                world, "rollout", "--pool", POOL, "--image", f"runner-pool/{number.name.lower()}", *quick
            )
            wait_until(lambda: held_by_a_rollout(world), seconds=30, what="a cell is held", world=world)
            second.send_signal(number)
            assert second.wait(timeout=30) == 130, world.logs()
            assert set(holds(world).values()) <= {"", "rollout"}
        door.put("/_control/faults", json={"faults": {}}).raise_for_status()
        back = world.run("rollout", "--pool", POOL, "--image", NEW, *quick)
        assert back.returncode == 0, f"{back.stdout}{back.stderr}"
        assert (set(images(world)), set(holds(world).values())) == ({NEW}, {""})
