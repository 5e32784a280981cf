"""A new revision of the scaler: all callers reach the new process at once, while the old one lives on for as long as it likes."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.pool_world import PoolWorld, burst, pool_world, wait_until

JOBS = 4


def successes(world: PoolWorld) -> int:
    """How many jobs have ended well."""
    return sum(job["conclusion"] == "success" for job in world.emulator.github.jobs())


def test_jobs_start_though_the_process_that_led_lives_on_and_nobody_reaches_it(tmp_path: Path) -> None:
    """Instances wait at the new process and only the leader has offers: so the lead has to follow the callers."""
    with pool_world(tmp_path / "w", sizes=(1, 1), max_instances=2) as world:
        old = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"ci.yml": burst(JOBS, tmp_path / "ledger")})
        wait_until(lambda: successes(world) == JOBS, seconds=60, what="the jobs of before", world=world)
        new = world.start_scaler()
        world.forwarder.backends[:] = world.forwarder.backends[1:]
        wait_until(
            lambda: '"serving"' in (tmp_path / "w" / "scaler-1.log").read_text(),
            seconds=30,
            what="the new process serves",
            world=world,
        )
        world.emulator.github.push("acme/widgets", {"ci.yml": burst(JOBS, tmp_path / "ledger")})
        wait_until(lambda: successes(world) == 2 * JOBS, seconds=60, what="the jobs of after", world=world)
        assert (old.poll(), new.poll()) == (None, None)
        assert not any(stop["was_busy"] for stop in world.emulator.cloud.stops())
