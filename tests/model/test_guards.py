"""Each guard of the protocol removed alone leads to a kill, so each is needed and the model can find one."""

from __future__ import annotations

import pytest

from tests.model.guards import GUARDS, Guard
from tests.model.search import Space, explored
from tests.model.story import told
from tests.simulation.mutations import MUTATIONS
from tests.simulation.test_directed_schedules import SCHEDULES


@pytest.mark.parametrize("guard", [pytest.param(each, id=each.name) for each in GUARDS])
def test_without_this_guard_a_runner_is_killed(guard: Guard) -> None:
    """The shortest story is as long as the page says."""
    space = Space(guard.setting)
    found = explored(space)
    assert found.killed is not None, f"{found.states} states without the guard {guard.says!r}, and no kill"
    story = told(space, found)
    print(f"without {guard.says!r}: a kill in {len(story)} steps\n" + "\n".join(story))
    assert "KILL" in story[-1]
    assert len(story) == guard.steps


def test_every_guard_that_the_simulation_removes_is_removed_here() -> None:
    """One set of sentences for both."""
    simulated = {each.guard for each in MUTATIONS} | {guard for _, _, guard in SCHEDULES}
    assert simulated <= {guard.says for guard in GUARDS}
