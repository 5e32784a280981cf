"""A guard that is not needed proves nothing: each world here lacks one guard of the protocol, and a runner is killed.

Guards that random worlds rarely need have hand-written schedules in `test_directed_schedules`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.world import World

MOST_SEEDS = 80


@pytest.mark.parametrize("mutation", [pytest.param(each, id=each.name) for each in MUTATIONS])
def test_without_this_guard_a_runner_is_killed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same worlds that are harmless with all guards."""
    mutation.remove(monkeypatch)
    for seed in range(MOST_SEEDS):
        if World(seed, replace(mutation.plan, calm=False)).run().killed:
            return
    pytest.fail(f"{MOST_SEEDS} worlds without the guard {mutation.guard!r}, and nobody was killed")


@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(each, id=each.name)
        for each in MUTATIONS
        if each.plan.settle_seconds and each.plan.etags is each.plan.etags.CHECKED
    ],
)
def test_with_every_guard_the_same_worlds_are_harmless(mutation: Mutation) -> None:
    """The weather of a mutation kills nobody by itself."""
    plan = replace(mutation.plan, calm=False, ends=mutation.plan.ends.WHEN_REAPED)
    for seed in range(5):
        outcome = World(seed, plan).run()
        assert not outcome.faults, f"seed {seed}: {outcome.faults[0]}\n{outcome.story}"
