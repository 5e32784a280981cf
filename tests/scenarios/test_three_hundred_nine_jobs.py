"""The incident of one public fleet, played again: 309 jobs at once, a CPU quota that refuses, an hourly limit of 5,000.

There it went: 250 instances register at once with one token -> 403 -> instances exit and come back at once -> Cloud Run
refuses every nonzero count -> no CI at all (https://github.com/tsz-org/tsz/issues/9918). Here: no stampede, no 403, no exit
loop, and every job done once the quota is back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pool_world import pool_world
from tests.e2e.test_burst import nothing_left
from tests.scenarios.crowd import Observer, crowd, ended_out_of_order, ran_once_each

JOBS = 309
SIZES = (*(1,) * 10, *(2,) * 10, *(5,) * 6, *(10,) * 5)
MOST_INSTANCES = 80
REGISTRATIONS_PER_MINUTE = 150
# The scaler counts what it sends; the observer sees what has arrived, in looks that are a second apart and late by as much.
LOOKED_FROM_OUTSIDE = 1.1
# A job of a second that ended between two looks at the queue can cost one lease that listens in vain.
IDLE_LISTENERS = 1.3
HOURLY_LIMIT = 5_000
# The first raises are carried out, then the region is full for a while, as after the burst of that day.
NO_CPU = {"share": 1, "after": 6, "most": 12}


@pytest.mark.timeout(900)
def test_a_burst_into_a_full_region_ends_with_every_job_done(tmp_path: Path) -> None:
    """And GitHub has refused nothing, no instance has come back in a loop, and nobody has stopped a job."""
    ledger = tmp_path / "ledger"
    with pool_world(
        tmp_path / "w",
        sizes=SIZES,
        max_instances=MOST_INSTANCES,
        pool_settings={"listen_max": "60s"},
    ) as world:
        door = world.emulator.cloud.http
        door.put("/_control/faults", json={"faults": {"cpu-quota": NO_CPU}}).raise_for_status()
        limits = {"secondary-limit": {"points_per_minute": 900, "concurrent": 100, "retry_after_seconds": 60}}
        world.emulator.github.http.put("/_control/faults", json={"faults": limits}).raise_for_status()
        world.start_scaler()
        observer = Observer(world)
        world.emulator.github.push("acme/widgets", crowd(JOBS, ledger, seconds=(0.2, 1.5), seed=9918))
        observer.watch(
            lambda: all(job["status"] == "completed" for job in world.emulator.github.jobs()),
            seconds=600,
            what="every job is done",
        )
        observer.watch(lambda: nothing_left(world) is True, seconds=120, what="nothing is left")
        struck = door.get("/_control/faults").json()["struck"]["cpu-quota"]
        assert struck >= 3, "the quota has hardly refused, so this proves little"
        assert {job["conclusion"] for job in world.emulator.github.jobs()} == {"success"}, world.logs()
        assert ran_once_each(ledger, JOBS) == []
        asked = observer.requests()
        assert [what for what in asked if what[2] in (403, 429)] == []
        assert sum(asked.values()) < HOURLY_LIMIT
        assert observer.most_registrations <= REGISTRATIONS_PER_MINUTE * LOOKED_FROM_OUTSIDE
        registered = sum(
            count for (_, path, status), count in asked.items() if status == 201 and "generate" in path
        )
        assert registered <= JOBS * IDLE_LISTENERS, "registrations were spent on nothing"
        assert ended_out_of_order(world) == []
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []
        started = sum(each["pid"] is not None for each in world.emulator.cloud.instances())
        assert started <= JOBS + 2 * MOST_INSTANCES, "instances came back without having had a job"
