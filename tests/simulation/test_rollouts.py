"""Seeded worlds with an admin who changes templates all the time: no template of ours replaces an instance under a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.simulation.rollouts import RolloutWorld, TemplateCloud
from tests.simulation.test_no_kill import SHAPES
from tests.simulation.weather import CRASHING, FROZEN, STORM, Weather
from tests.simulation.world import Outcome, Plan

# Other hands' writes beside a template are outside the promise: an instance that was raised at zero is replaced by it.
WEATHERS = {
    name: replace(weather, foreign_write_every_seconds=0.0)
    for name, weather in (("crashing", CRASHING), ("storm", STORM), ("frozen", FROZEN))
}
SEEDS = 12
MOST_SEEDS = 60


def lived(seed: int, weather: Weather, seen: Counter[str] | None = None) -> Outcome:
    """The world of a seed."""
    # A cell that cannot start anything lets jobs queue up, and a scaler may be dead for good: so the calm is long.
    plan = Plan(
        weather=weather,
        sizes=SHAPES[seed % 3],
        most_instances=2 + seed % 2,
        storm_seconds=900.0,
        calm_seconds=9_000.0,
    )
    world = RolloutWorld(seed, plan)
    outcome = world.run()
    if seen is not None:
        seen.update(
            ended=world.ended,
            killed=world.killed,
            jobs=outcome.jobs,
            templates=outcome.story.count("our template"),
            failed_zeros=world.cloud.failed_zeros,
        )
    return outcome


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", WEATHERS)
def test_no_template_stops_a_live_runner_and_the_last_one_reaches_every_cell(name: str) -> None:
    """Verbs and scalers are killed and frozen, writes are late, doubled and lost; at the end no hold is left."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        life = lived(seed, WEATHERS[name], seen)
        assert not life.faults, f"seed {seed}: {life.faults[0]}\n{life.story}"
    print(name, dict(seen))
    assert seen["killed"] > SEEDS
    assert seen["templates"] > 4 * SEEDS
    assert seen["jobs"] > 3 * SEEDS
    assert seen["failed_zeros"] > SEEDS // 2


def test_without_its_etag_a_late_template_stops_a_live_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same worlds with one guard removed: so the worlds are hard enough for it to matter."""
    monkeypatch.setattr(TemplateCloud, "names_etag", False)
    if not any(lived(seed, WEATHERS["storm"]).killed for seed in range(MOST_SEEDS)):
        pytest.fail(f"{MOST_SEEDS} worlds whose templates name no etag, and nobody was killed")
