"""Two hundred jobs of uneven length on cells of mixed sizes, with lists that lag and lie: twenty runs, each from its seed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pool_world import PoolWorld, pool_world
from tests.faults.burst import left_behind, stopped_by_the_scaler
from tests.scenarios.count_writes import Lowering, lowerings, peak_instances
from tests.scenarios.crowd import Observer, ended_out_of_order, ran_once_each, workflow
from tests.scenarios.uneven_queue import Push, uneven_queue

RUNS = 20
JOBS = 200
BURSTS = 5
QUEUED_WITHIN_SECONDS = 45.0
# A zeroed cell stays closed for 80 s, longer than jobs are queued, so the cells hold more than the pool may have at once. They
# are half as many as instances: where there is room instances stand alone, and siblings are what this is about.
SIZES = (*(1,) * 4, *(2,) * 4, *(4,) * 3, *(8,) * 2)
MOST_INSTANCES = 24
# GitHub's 900 points a minute are not shorter here: looks at a queue of many runs must leave some for registrations.
DEMAND_INTERVAL = "5s"
# Fewer beside running jobs, and the run proves little.
LEAST_LOWERINGS = 10

# Victims are arbitrary anyway. GitHub's lags are 25 to 60 s; here they are as much shorter as the rest of the story is. A
# short job whose list lags is over before it is seen to run, and costs a lease that listens in vain: one in four, for with
# all of them hardly a cell is empty while jobs run. Most webhooks are lost, since each costs a look at all active runs.
CLOUD_FAULTS = {"settled-early": {"seconds": 5, "share": 0.3}, "stale-etag": {"share": 0.1}}
GITHUB_FAULTS = {
    "busy-lies": {"share": 0.3},
    "busy-lag": {"seconds": 12},
    "runner-list-lag": {"seconds": 12},
    "runner-list-incomplete": {"share": 0.3},
    "job-lag": {"seconds": 5, "spread_seconds": 7, "share": 0.25},
    "run-list-incomplete": {"share": 0.1},
    "webhook-lost": {"share": 0.9},
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, RUNS + 1))
def test_two_hundred_uneven_jobs_run_once_each_while_counts_are_lowered_beside_them(
    tmp_path: Path, seed: int
) -> None:
    """Counts go down again and again while other jobs run, and no write ever reaches a busy instance."""
    ledger, enough = tmp_path / "ledger", tmp_path / "enough"
    begun = time.monotonic()
    with pool_world(
        tmp_path / "w",
        sizes=SIZES,
        max_instances=MOST_INSTANCES,
        times={"demand_interval": DEMAND_INTERVAL},
        pool_settings={"listen_max": "10s"},
        seed=seed,
    ) as world:
        _switch_on(world)
        world.start_scaler()
        observer = Observer(world)
        pushes = uneven_queue(seed, jobs=JOBS, bursts=BURSTS, within=QUEUED_WITHIN_SECONDS)
        # One of the first jobs works until enough counts were lowered, so that however busy the machine is there is one beside.
        gated = {min(pushes[0].lengths): enough}
        for push in pushes:
            _queue(world, push, since=begun, ledger=ledger, gated=gated)
        observer.watch(
            lambda: len(_beside_jobs(world)) >= LEAST_LOWERINGS,
            seconds=240,
            what=f"{LEAST_LOWERINGS} counts were lowered beside running jobs",
        )
        enough.touch()
        observer.watch(lambda: _statuses(world) == {"completed": JOBS}, seconds=240, what="every job is done")
        observer.watch(lambda: left_behind(world) == {}, seconds=120, what="nothing is left")
        seconds = time.monotonic() - begun
        lowered = lowerings(world)
        beside_jobs = _beside_jobs(world)
        busy = [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]]
        heights = sorted({each.before for each in beside_jobs})
        print(
            f"seed {seed}: {seconds:.0f} s, {JOBS} jobs, {len(lowered)} lowering writes, {len(beside_jobs)} of them while "
            f"jobs ran (from {', '.join(map(str, heights))}), {len(busy)} busy victims, at most {peak_instances(world)} instances"
        )
        assert Counter(job["conclusion"] for job in world.emulator.github.jobs()) == {"success": JOBS}, (
            world.logs()
        )
        assert ran_once_each(ledger, JOBS) == []
        assert stopped_by_the_scaler(world) == [], world.logs()
        assert busy == [], "nobody else stops instances here"
        assert ended_out_of_order(world) == []
        assert peak_instances(world) <= MOST_INSTANCES
        assert max(heights) > 1, "only cells of one instance were lowered, where no sibling can be busy"
        assert {each.count for each in lowered} == {0}, "a count is lowered to zero or not at all"


def _switch_on(world: PoolWorld) -> None:
    faults: tuple[tuple[Any, Any], ...] = (
        (world.emulator.cloud.http, CLOUD_FAULTS),
        (world.emulator.github.http, GITHUB_FAULTS),
    )
    for door, named in faults:
        door.put("/_control/faults", json={"faults": named}).raise_for_status()


def _beside_jobs(world: PoolWorld) -> Sequence[Lowering]:
    return [each for each in lowerings(world) if each.running]


def _queue(world: PoolWorld, push: Push, *, since: float, ledger: Path, gated: Mapping[int, Path]) -> None:
    time.sleep(max(0.0, since + push.at - time.monotonic()))
    first = min(push.lengths)
    text = workflow(f"uneven {first}", push.lengths, ledger, gated=gated)
    world.emulator.github.push("acme/widgets", {f"uneven-{first}.yml": text})


def _statuses(world: PoolWorld) -> Counter[str]:
    return Counter(job["status"] for job in world.emulator.github.jobs())
