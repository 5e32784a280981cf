"""Growth does not use a minute's writes up in its first seconds."""

from __future__ import annotations

import pytest

from scaler.core.decide import decide
from scaler.core.model import Memory, Reason, Seen
from scaler.core.pacing import growth_writes
from tests.factories import NOW, a_cell, a_policy, a_pool, demand, jobs, seen


def facts(*, queued: int, left: int, cells: int = 20, size: int = 8) -> Seen:
    """So many jobs, free cells of one size, and of thirty writes a minute so many left."""
    names = [f"cell-{number:02}" for number in range(cells)]
    return seen(
        *(a_cell(name, size=size) for name in names),
        demand=demand(*jobs(queued)),
        writes_left=left,
        shrink_writes_left=left,
        writes_per_minute=30,
    )


@pytest.mark.parametrize(
    ("queued", "left", "counts"),
    [
        pytest.param(1, 30, [1], id="one job stands alone"),
        pytest.param(5, 30, [1] * 5, id="a few stand alone"),
        pytest.param(40, 30, [2] * 20, id="more are spread over all cells"),
        pytest.param(40, 16, [4] * 10, id="a burst leaves a fifth of the minute's writes"),
        pytest.param(5, 7, [5], id="scarce writes: as few cells as hold them"),
        pytest.param(20, 7, [7, 7, 6], id="scarce writes: no fewer than hold them"),
        pytest.param(5, 0, [], id="no writes, no raise"),
    ],
)
def test_writes_are_spread_over_jobs(queued: int, left: int, counts: list[int]) -> None:
    """While there are many each instance stands alone; of the last ones each holds all that has come."""
    decision, _ = decide(a_policy(a_pool(maximum=100)), facts(queued=queued, left=left), Memory())
    assert [rise.to for rise in decision.raises] == counts


def test_the_last_writes_come_one_after_another_and_the_reason_is_told() -> None:
    """With six left one every five seconds; the look comes when the next one does."""
    policy = a_policy(a_pool(maximum=100))
    decision, _ = decide(policy, facts(queued=3, left=6), Memory(grew_at=NOW - 4.0))
    assert decision.raises == ()
    assert [limit.reason for limit in decision.limits] == [Reason.WRITES_PACED]
    assert decision.look_again_at == pytest.approx(NOW + 1.0)
    decision, memory = decide(policy, facts(queued=3, left=6), Memory(grew_at=NOW - 5.0))
    assert [rise.to for rise in decision.raises] == [3]
    assert memory.grew_at == NOW


def test_the_fewer_writes_are_left_the_longer_the_wait_for_the_next() -> None:
    """Together longer than a minute, so that they never run out."""
    waits = []
    for left in range(7, 0, -1):
        found = growth_writes(facts(queued=1, left=left), grew_at=NOW - 0.1)
        assert found.left == 0
        waits.append(found.again_at - NOW)
    assert waits == sorted(waits)
    assert sum(waits) > 60.0


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    """What was raised at a moment to come was raised by the clock before."""
    assert growth_writes(facts(queued=1, left=3), grew_at=NOW + 500.0).left == 3
