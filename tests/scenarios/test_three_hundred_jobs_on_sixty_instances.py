"""Three hundred jobs of 1 to 20 seconds on at most sixty instances of mixed cells: real processes, real signals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pool_world import pool_world
from tests.e2e.test_burst import assert_most_instances, nothing_left
from tests.scenarios.crowd import Observer, crowd, ended_out_of_order, ran_once_each

JOBS = 300
SIZES = (*(1,) * 8, *(2,) * 8, *(4,) * 6, *(8,) * 4)
MOST_INSTANCES = 60


@pytest.mark.timeout(900)
def test_three_hundred_uneven_jobs_run_once_each_and_none_is_stopped(tmp_path: Path) -> None:
    """Cells drain and close all the time, and no write ever reaches a busy instance."""
    ledger = tmp_path / "ledger"
    with pool_world(
        tmp_path / "w",
        sizes=SIZES,
        max_instances=MOST_INSTANCES,
        pool_settings={"listen_max": "60s"},
    ) as world:
        world.start_scaler()
        observer = Observer(world)
        world.emulator.github.push("acme/widgets", crowd(JOBS, ledger, seconds=(1.0, 20.0), seed=300))
        observer.watch(
            lambda: all(job["status"] == "completed" for job in world.emulator.github.jobs()),
            seconds=600,
            what="every job is done",
        )
        observer.watch(lambda: nothing_left(world) is True, seconds=120, what="nothing is left")
        assert {job["conclusion"] for job in world.emulator.github.jobs()} == {"success"}, world.logs()
        assert ran_once_each(ledger, JOBS) == []
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []
        assert ended_out_of_order(world) == []
        assert_most_instances(world, MOST_INSTANCES)
