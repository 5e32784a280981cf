"""Direct mode: no service, the agents take their leases from the records themselves, `once` runs again and again as cron does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.pool_world import burst, pool_world
from tests.e2e.test_burst import all_done, assert_each_job_once, assert_most_instances, nothing_left

JOBS = 60


@pytest.mark.timeout(300)
def test_once_as_cron_serves_sixty_jobs_on_ten_instances(tmp_path: Path) -> None:
    """Each job once, no busy instance stopped, and the last runs of `once` take everything down to zero."""
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 2, 2, 4), max_instances=10, mode="direct") as world:
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger)})
        deadline, seen = time.monotonic() + 240, None
        while time.monotonic() < deadline:
            ticked = world.run("once")
            assert ticked.returncode == 0, ticked.stderr
            seen = (all_done(world, JOBS), nothing_left(world))
            if seen == (True, True):
                break
        assert seen == (True, True), f"{seen}\n{ticked.stderr}"
        assert_most_instances(world, 10)
        assert_each_job_once(world, ledger, JOBS)
