"""An image whose runner GitHub refuses: growth stops and says why, and goes on by itself once the runner is served again."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaler.core.model import Reason
from tests.e2e.pool_world import PoolWorld, burst, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, nothing_left

JOBS = 8
MOST_INSTANCES = 4


def registered(world: PoolWorld) -> int:
    """How many runners have been registered."""
    return sum(
        each["count"]
        for each in world.emulator.github.requests()
        if each["path"].endswith("generate-jitconfig") and each["status"] == 201
    )


def says_why(world: PoolWorld) -> object:
    """True once a tick has named the reason."""
    return any(
        Reason.RUNNER_TOO_OLD.value in path.read_text(errors="replace")
        for path in world.folder.glob("scaler-*.log")
    )


@pytest.mark.timeout(240)
def test_a_runner_that_is_too_old_stops_growth_with_its_reason_and_costs_few_registrations(
    tmp_path: Path,
) -> None:
    """No job is lost meanwhile: they wait, and are served once GitHub takes the runner."""
    ledger = tmp_path / "ledger"
    with pool_world(
        tmp_path / "w", sizes=(1, 1, 2, 2, 2), max_instances=MOST_INSTANCES, times={"back_off": "20s"}
    ) as world:
        door = world.emulator.github.http
        door.put("/_control/faults", json={"faults": {"version-refused": {}}}).raise_for_status()
        world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger, seconds="0.2")})
        wait_until(lambda: says_why(world), seconds=60, what="the reason is told", world=world)
        wait_until(
            lambda: nothing_left(world),
            seconds=60,
            what="nothing stays for jobs that cannot run",
            world=world,
        )
        # The first burst went out whole; after it one lease is tried every twenty seconds.
        assert registered(world) <= 2 * MOST_INSTANCES, world.logs()
        assert all(job["status"] == "queued" for job in world.emulator.github.jobs())
        door.put("/_control/faults", json={"faults": {}}).raise_for_status()
        wait_until(lambda: all_done(world, JOBS), seconds=120, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert_each_job_once(world, ledger, JOBS)
