"""An hour with an image that GitHub refuses, or with an App that may not register: the loop stops, and ends by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cell_records.obstacles import Obstacle
from github_api.errors import PermissionDenied
from scaler.core.held_back import BACK_OFF_SECONDS, IN_A_ROW
from tests.simulation.test_directed_schedules import STEADY
from tests.simulation.world import Plan, World

HOUR = 3_600.0
JOBS = 3


def an_image_that_is_too_old(world: World) -> None:
    """GitHub refuses every runner of it."""
    world.image_fails = Obstacle.RUNNER_DEPRECATED.value


def an_image_whose_runner_fails(world: World) -> None:
    """It ends before it listens."""
    world.image_fails = Obstacle.RUNNER_FAILED.value


def an_app_that_may_not_register(world: World) -> None:
    """Its permission was taken away."""
    world.github.refuses = PermissionDenied("the App may not register runners")


def an_hour_with(spoil: Callable[[World], None]) -> None:
    """Assert that one lease is tried every ten minutes, that the cells go to zero in between, and that no job is lost."""
    world = World(1, Plan(weather=STEADY, sizes={"cell-a": 2, "cell-b": 1}, most_instances=3))

    async def schedule(world: World) -> None:
        spoil(world)
        for _ in range(JOBS):
            world.github.push(20.0)
        await asyncio.sleep(HOUR)
        asked = world.github.asked_to_register
        # Those that were under way at once, then one each time.
        assert asked <= JOBS + IN_A_ROW + HOUR / BACK_OFF_SECONDS, asked
        assert asked >= IN_A_ROW + HOUR / BACK_OFF_SECONDS - 2
        # One is being tried at the most; in between nothing stands.
        await world.until(
            "no instance waits for nothing",
            lambda: not any(pool.count for pool in world.cloud.pools.values()),
            seconds=BACK_OFF_SECONDS / 2,
        )
        world.image_fails, world.github.refuses = "", None
        await world.until("every job is done", lambda: world.github.idle, seconds=2 * BACK_OFF_SECONDS)

    outcome = world.run(schedule)
    assert not outcome.faults, outcome.story


@pytest.mark.parametrize(
    "spoil", [an_image_that_is_too_old, an_image_whose_runner_fails, an_app_that_may_not_register]
)
def test_a_pool_that_gets_no_job_for_its_image_stops_asking_and_serves_once_it_is_mended(
    spoil: Callable[[World], None],
) -> None:
    an_hour_with(spoil)
