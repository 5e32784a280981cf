"""Direct mode: no service, the agents take their leases from the records themselves, `once` runs again and again as cron does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.pool_world import burst, pool_world
from tests.e2e.test_burst import all_done, assert_each_job_once, assert_most_instances, nothing_left


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("jobs", "sizes", "bucket"),
    [
        pytest.param(60, (1, 1, 2, 2, 4), False, id="in SQLite"),
        # With the instances' own account, and one write of a record a second.
        pytest.param(12, (1, 1, 4), True, id="in a bucket"),
    ],
)
def test_once_as_cron_serves_a_burst(tmp_path: Path, jobs: int, sizes: tuple[int, ...], bucket: bool) -> None:
    """Each job once, no busy instance stopped, and the last runs of `once` take everything down to zero."""
    ledger, most = tmp_path / "ledger", sum(sizes)
    with pool_world(tmp_path / "w", sizes=sizes, max_instances=most, mode="direct", bucket=bucket) as world:
        if bucket:
            cloud = world.emulator.cloud
            cloud.put_faults({"storage-write-rate": {}})
            # Every instance writes its own cell's record there, which is the price of this mode.
            for cell in world.counts():
                account = cloud.worker_pool(cell)["template"]["serviceAccount"]
                cloud.give_roles(account, "roles/storage.objectUser")
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(jobs, ledger)})
        deadline, seen = time.monotonic() + 240, None
        while time.monotonic() < deadline:
            ticked = world.run("once")
            assert ticked.returncode == 0, ticked.stderr
            seen = (all_done(world, jobs), nothing_left(world))
            if seen == (True, True):
                break
        assert seen == (True, True), f"{seen}\n{ticked.stderr}"
        assert_most_instances(world, most)
        assert_each_job_once(world, ledger, jobs)
