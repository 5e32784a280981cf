"""A limit per minute, over any sixty seconds."""

import pytest

from scaler.budget import WINDOW_SECONDS, MinuteBudget


def test_a_use_is_free_again_after_sixty_seconds_and_not_before() -> None:
    budget = MinuteBudget(2)
    budget.use(100.0)
    budget.use(130.0)
    assert budget.left(100.0 + WINDOW_SECONDS - 0.001) == 0
    assert budget.left(100.0 + WINDOW_SECONDS) == 1
    assert budget.left(130.0 + WINDOW_SECONDS) == 2


def test_no_sixty_seconds_hold_more_uses_than_the_limit() -> None:
    """A limit by the calendar's minute would let twice as many through around its end."""
    budget, uses = MinuteBudget(5), []
    for tenth in range(3000):
        now = tenth / 10
        if budget.left(now) > 0:
            budget.use(now)
            uses.append(now)
    assert len(uses) == 5 * 5
    for first in uses:
        assert sum(first <= use < first + WINDOW_SECONDS for use in uses) <= 5


def test_what_was_used_beyond_the_limit_counts_too() -> None:
    """What was sent was sent, and left is never below zero."""
    budget = MinuteBudget(1)
    for now in (0.0, 1.0, 2.0):
        budget.use(now)
    assert budget.left(3.0) == 0
    assert budget.left(61.0) == 0
    assert budget.left(62.0) == 1


@pytest.mark.parametrize(("reserve", "left"), [(0, 8), (3, 5), (5, 3), (10, 0)])
def test_some_are_kept_back_for_others(reserve: int, left: int) -> None:
    budget = MinuteBudget(10)
    budget.use(0.0)
    budget.use(0.0)
    assert budget.left(1.0, reserve=reserve) == left


def test_a_clock_that_is_set_back_does_not_use_up_the_limit_for_ever() -> None:
    """What was counted by the clock before would never leave the window."""
    budget = MinuteBudget(2)
    budget.use(100_000.0)
    budget.use(100_000.0)
    assert budget.left(5_000.0) == 2
    budget.use(5_000.0)
    assert budget.left(5_001.0) == 1


def test_what_another_hand_has_used_up_counts_as_used_for_a_while() -> None:
    """A refusal says more than our own count; a clock that is set back does not make the while longer."""
    budget = MinuteBudget(10)
    budget.use_up(100.0, seconds=20.0)
    assert [budget.left(now) for now in (100.0, 119.9, 120.0, 50.0)] == [0, 0, 10, 10]
