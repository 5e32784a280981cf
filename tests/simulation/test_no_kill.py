"""Seeded worlds in virtual time: whatever goes wrong, no write of ours stops a live runner, and in the end all is quiet.

A failed seed prints its story; `python -m pytest 'tests/simulation/test_no_kill.py::…[storm-3]'` tells it again.
"""

from __future__ import annotations

import pytest

from tests.simulation.weather import CRASHING, FINE, FROZEN, SLUGGISH, STORM, Weather
from tests.simulation.world import Outcome, Plan, World

SEEDS_PER_BLOCK = 10
SHAPES = ({"cell-a": 3}, {"cell-a": 2, "cell-b": 1}, {"cell-a": 1, "cell-b": 1, "cell-c": 1})
WEATHERS = {"fine": FINE, "crashing": CRASHING, "storm": STORM, "frozen": FROZEN, "sluggish": SLUGGISH}
BLOCKS = {"fine": 1, "crashing": 3, "storm": 8, "frozen": 4, "sluggish": 4}


def lived(seed: int, weather: Weather) -> Outcome:
    """The world of a seed; the shape of its cells, its max and its linger follow from the seed too."""
    plan = Plan(
        weather=weather, sizes=SHAPES[seed % 3], linger_seconds=5.0 * (seed % 2), most_instances=2 + seed % 2
    )
    return World(seed, plan).run()


@pytest.mark.parametrize(
    ("name", "block"),
    [pytest.param(name, block, id=f"{name}-{block}") for name in BLOCKS for block in range(BLOCKS[name])],
)
def test_no_write_of_ours_stops_a_live_runner_and_all_comes_to_rest(name: str, block: int) -> None:
    """No kill, no configuration used twice, bounds kept; once faults stop, jobs are done and nothing is left."""
    lives = [lived(block * SEEDS_PER_BLOCK + number, WEATHERS[name]) for number in range(SEEDS_PER_BLOCK)]
    for life in lives:
        assert not life.faults, f"seed {life.seed}: {life.faults[0]}\n{life.story}"
    # A world in which nothing happens proves nothing.
    assert sum(life.jobs for life in lives) > 5 * SEEDS_PER_BLOCK
    assert sum(life.leases for life in lives) > 5 * SEEDS_PER_BLOCK
    assert sum(life.zeros for life in lives) > 3 * SEEDS_PER_BLOCK


def test_a_seed_tells_the_same_story_twice() -> None:
    """A failure can be told again: nothing in a world depends on anything but its seed."""
    told = [[line.split()[:2] for line in lived(5, STORM).story.splitlines()] for _ in range(2)]
    assert told[0] == told[1]
    assert len(told[0]) > 50
