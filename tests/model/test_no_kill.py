"""In every order of every step of one cell, no write of ours stops a live runner."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.model.guards import GUARDS, SPARE, WITHOUT_HOLDS
from tests.model.parts import Rules, Setting
from tests.model.rest import stuck
from tests.model.search import Space, explored
from tests.model.settings import IN_MAKE_TEST, Explored
from tests.model.story import told


@pytest.mark.timeout(600)
@pytest.mark.parametrize("known", [pytest.param(each, id=str(each.setting)) for each in IN_MAKE_TEST])
def test_no_order_of_steps_leads_to_a_kill(known: Explored) -> None:
    """Every state of the setting was seen, as many as ever, and none has a live runner doomed by a count of ours."""
    space, begun = Space(known.setting), time.process_time()
    found = explored(space)
    print(
        f"{known.setting}: {found.states:,} states, depth {found.depth}, {time.process_time() - begun:.1f} s"
    )
    assert found.killed is None, "\n".join(told(space, found))
    assert (found.states, found.depth) == (known.states, known.depth), (
        "the page and the settings say otherwise"
    )


SMALLEST = {str(setting): setting for setting in (replace(each.setting, rules=Rules()) for each in GUARDS)}


@pytest.mark.parametrize("setting", [pytest.param(each, id=str(each)) for each in SMALLEST.values()])
def test_with_every_guard_the_settings_of_the_mutations_are_harmless(setting: Setting) -> None:
    """What kills without a guard is its loss, not the setting."""
    space = Space(setting)
    found = explored(space)
    assert found.killed is None, "\n".join(told(space, found))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("setting", "states"),
    [
        (Setting(boots=2, size=2, scalers=2, foreign=1), 50_000),
        (Setting(boots=2, size=2, scalers=2, foreign=0, rollouts=1), 40_000),
    ],
    ids=str,
)
def test_from_every_state_the_cell_can_come_to_rest(setting: Setting, states: int) -> None:
    """No dead end: with no further fault and no job, steps lead to a noted zero with no instance and no lease."""
    space = Space(setting)
    found = explored(space)
    left = stuck(space, found.parents)
    print(f"{space.setting}: from each of {found.states:,} states steps lead to rest")
    assert [space.parts(state) for state in left[:1]] == []
    assert found.states > states


def test_a_raise_into_a_closed_cell_costs_no_job() -> None:
    """A raise's look at the record spares money; the gate protects the jobs."""
    space = Space(Setting(boots=2, size=2, scalers=2, foreign=0, rules=SPARE))
    found = explored(space)
    assert found.killed is None, "\n".join(told(space, found))


def test_a_held_cell_that_is_opened_all_the_same_costs_no_job() -> None:
    """The hold is for coming to an end; etag, count and the wait before a raise protect the jobs."""
    space = Space(Setting(boots=2, size=2, scalers=2, foreign=0, rollouts=1, rules=WITHOUT_HOLDS))
    found = explored(space)
    assert found.killed is None, "\n".join(told(space, found))
    assert found.states > 40_000
