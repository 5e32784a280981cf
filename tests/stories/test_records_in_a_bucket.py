"""A burst with the records in Cloud Storage, which refuses every second write of a record within a second and does worse:
the scaler is killed in the middle, two follow side by side, each job runs once, and nothing is left.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cell_records.record import CellState
from tests.e2e.pool_world import PoolWorld, burst, kill_hard, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, assert_most_instances, finished, nothing_left

JOBS = 32
SIZES = (8, 4, 1, 1, 2)

# One write of an object a second, as the quota says, and now and then what any network does.
CRUEL = {
    "storage-write-rate": {},
    "storage-reply-lost": {"share": 0.05},
    "storage-unavailable": {"share": 0.02},
    "storage-raced": {"share": 0.05},
}


@pytest.mark.timeout(240)
def test_each_job_runs_once_though_the_store_is_slow_to_write_and_the_scaler_is_killed(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=SIZES, max_instances=12, bucket=True) as world:
        said = world.run("check-config").stdout
        assert f"records: {world.location}\n" in said
        assert f"storage.endpoint: {world.emulator.cloud_url}\n" in said
        world.emulator.cloud.put_faults(CRUEL)
        first = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger)})
        wait_until(lambda: finished(world) >= 6, seconds=90, what="six jobs done", world=world)
        kill_hard(first)
        assert world.standing_leases(), "nothing was under way when the scaler was killed"
        successors = [world.start_scaler(), world.start_scaler()]
        wait_until(lambda: all_done(world, JOBS), seconds=120, what="all jobs done", world=world)
        assert_most_instances(world, 12)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert_each_job_once(world, ledger, JOBS)
        assert [each.poll() for each in successors] == [None, None], world.logs()
        wait_until(lambda: records_at_rest(world), seconds=30, what="every cell is closed", world=world)
        assert not (world.folder / "records.db").exists()
        assert all(world.emulator.cloud.struck(fault) for fault in CRUEL if fault != "storage-write-rate")


def records_at_rest(world: PoolWorld) -> object:
    """True once no record has a lease and each cell was seen at zero, else what stands."""
    standing = {
        key: (record.state.value, len(record.leases))
        for key, record in world.records().items()
        if record.leases or record.state is not CellState.ZERO
    }
    return standing or True
