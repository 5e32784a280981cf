"""A new image for twelve cells while a hundred jobs wait and run: the verb is killed again and again, the scaler in between.

The pool is at its max, so that no cell ever closes by itself and the canary needs another's room.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.pool_world import POOL, PoolWorld, burst, kill_hard, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, finished, nothing_left
from tests.stories.test_rollout import NEW, begin, holds, images, said, some_serve

JOBS = 100
CELLS = 12
KILLS = 5
# From 5 to 24 seconds each.
UNEVEN = "$((5 + ${{ matrix.number }} % 20))"


def busy_cells(world: PoolWorld) -> int:
    """How many cells have a job."""
    return sum(bool(record.leases) for record in world.records().values())


@pytest.mark.timeout(1_200)
def test_a_hundred_jobs_do_not_notice_a_new_image(tmp_path: Path) -> None:
    """Each job once, no busy instance stopped, capacity at every moment, the old image gone from every cell."""
    chance, ledger = random.Random(11), tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1,) * CELLS, max_instances=CELLS - 2) as world:
        first = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger, seconds=UNEVEN)})
        wait_until(lambda: busy_cells(world) == CELLS - 2, seconds=90, what="all are busy", world=world)
        arguments = ("--pool", POOL, "--image", NEW, "--at-once", "4")
        verb, kills, least = begin(world, "rollout", *arguments), 0, CELLS
        kill_at, deadline = time.monotonic() + chance.uniform(2.0, 30.0), time.monotonic() + 900
        while verb.poll() is None or kills < KILLS:
            assert time.monotonic() < deadline, f"{said(world, 'rollout')[-2_000:]}\n{world.logs()}"
            if finished(world) < JOBS:
                assert some_serve(world), f"no cell was left to serve: {holds(world)}\n{world.logs()}"
                least = min(least, CELLS - sum(bool(hold) for hold in holds(world).values()))
            if verb.poll() is not None:
                assert verb.returncode == 0, world.logs()
                break
            if kills < KILLS and time.monotonic() > kill_at:
                kill_hard(verb)
                kills += 1
                if kills == 2:
                    kill_hard(first)
                    world.start_scaler()
                verb = begin(world, "rollout", *arguments)
                kill_at = time.monotonic() + chance.uniform(2.0, 40.0)
            time.sleep(0.2)
        print(
            f"killed {kills} times; at least {least} of {CELLS} cells were not held; {finished(world)} jobs were done"
        )
        assert kills == KILLS
        assert Counter(images(world)) == {NEW: CELLS}
        assert set(holds(world).values()) == {""}
        wait_until(lambda: all_done(world, JOBS), seconds=300, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=90, what="nothing is left", world=world)
        assert_each_job_once(world, ledger, JOBS)
        revisions = [stop for stop in world.emulator.cloud.stops() if stop["cause"] == "revision"]
        assert revisions == [], "a template was written where an instance was"
