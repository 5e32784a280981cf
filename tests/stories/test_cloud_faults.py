"""A burst while Cloud Run refuses, falls silent and comes late: every job once, no busy victim, nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pool_world import burst, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, nothing_left

JOBS = 12
FAULTS = {
    "stale-etag": {"share": 0.5, "most": 6},
    "reply-lost": {"share": 1, "after": 1, "most": 3},
    "late-effect": {"seconds": 2, "share": 0.5},
}


@pytest.mark.timeout(240)
def test_twelve_jobs_run_once_each_though_writes_are_refused_unanswered_and_late(tmp_path: Path) -> None:
    """Four instances in three cells; each of the three faults must have struck, or the story proves nothing."""
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 2), max_instances=4) as world:
        door = world.emulator.cloud.http
        door.put("/_control/faults", json={"faults": FAULTS}).raise_for_status()
        scaler = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger)})
        wait_until(lambda: all_done(world, JOBS), seconds=120, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        struck = door.get("/_control/faults").json()["struck"]
        assert all(struck[fault] for fault in FAULTS), struck
        assert scaler.poll() is None, world.logs()
        assert_each_job_once(world, ledger, JOBS)
