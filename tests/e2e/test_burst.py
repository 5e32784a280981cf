"""Sixty jobs at once on twelve instances, with scalers that die and double: every job once, none stopped, nothing left."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.pool_world import PoolWorld, burst, kill_hard, pool_world, wait_until

JOBS = 60
SIZES = (1, 1, 1, 1, 2, 2, 4)


def finished(world: PoolWorld) -> int:
    """How many jobs have completed."""
    return sum(job["status"] == "completed" for job in world.emulator.github.jobs())


def all_done(world: PoolWorld, jobs: int) -> object:
    """True once every job has completed, else the counts by status."""
    counts = Counter(job["status"] for job in world.emulator.github.jobs())
    return True if counts == {"completed": jobs} else dict(counts)


def nothing_left(world: PoolWorld) -> object:
    """True once no instance, no process of one and no registration is left, else what is."""
    left = {
        "instances": [each["id"] for each in world.emulator.cloud.instances() if each["state"] != "gone"],
        "registrations": [each["name"] for each in world.emulator.github.registrations()],
        "processes": list(world.emulator.living_processes().values()),
    }
    return left if any(left.values()) else True


def assert_each_job_once(world: PoolWorld, ledger: Path, jobs: int) -> None:
    """Every job succeeded and its step ran exactly once; the stand-in cloud stopped no busy instance."""
    written = Counter(int(line) for line in ledger.read_text().split())
    assert written == Counter(range(jobs)), (
        f"steps that ran not exactly once: {written - Counter(range(jobs))}"
    )
    outcomes = Counter(job["conclusion"] for job in world.emulator.github.jobs())
    assert outcomes == {"success": jobs}, f"{outcomes}\n{world.logs()}"
    busy = [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]]
    assert busy == [], f"busy instances were stopped: {busy}\n{world.logs()}"


@pytest.mark.timeout(300)
def test_sixty_jobs_run_once_each_though_the_scaler_is_killed_twice_and_runs_twice(tmp_path: Path) -> None:
    """The scaler is killed hard after a sixth and after a half of the jobs, and two run side by side in between."""
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=SIZES, max_instances=12) as world:
        first = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger)})
        wait_until(lambda: finished(world) >= 10, seconds=90, what="ten jobs done", world=world)
        kill_hard(first)
        second, third = world.start_scaler(), world.start_scaler()
        wait_until(lambda: finished(world) >= 30, seconds=90, what="thirty jobs done", world=world)
        assert [second.poll(), third.poll()] == [None, None], world.logs()
        kill_hard(second)
        wait_until(lambda: all_done(world, JOBS), seconds=120, what="all jobs done", world=world)
        assert_most_instances(world, 12)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert third.poll() is None, world.logs()
        assert_each_job_once(world, ledger, JOBS)


def assert_most_instances(world: PoolWorld, most: int) -> None:
    """No moment had more instances asked for than `most`, by the stand-in cloud's own list of writes."""
    counts: dict[str, int] = {}
    for write in sorted(world.emulator.cloud.writes(), key=lambda each: float(each["at"])):
        if write["status"] == 200 and write["method"] == "PATCH":
            counts[write["worker_pool"]] = write["to"]
            assert sum(counts.values()) <= most, f"{counts} at {time.ctime(write['at'])}"
