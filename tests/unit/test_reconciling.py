"""What one tick does beside its decision: budgets it leaves, counts it takes over, cells it carries on."""

from __future__ import annotations

import pytest

from cell_records.record import CellRecord, CellState
from scaler.cell_directory import Cell
from scaler.core.adopting import ADOPT_AFTER_SECONDS, adopted
from scaler.core.cell_steps import is_due
from scaler.core.decide import decide
from scaler.core.model import CellSeen, Memory, Reason
from scaler.observation import CellFacts, Present, cell_seen, shrink_reserve
from tests.factories import (
    NOW,
    a_cell,
    a_policy,
    a_pool,
    a_record,
    a_worker_pool,
    an_open_cell,
    demand,
    jobs,
    seen,
)


@pytest.mark.parametrize(("moving", "kept"), [(0, 0), (2, 2), (9, 9), (20, 9)])
def test_growth_leaves_writes_for_no_more_cells_than_could_be_lowered(moving: int, kept: int) -> None:
    """Of thirty a minute at most nine; an empty pool's first burst has them all."""
    cells = [an_open_cell(f"open-{number}", count=1) for number in range(moving)]
    assert shrink_reserve([*cells, a_cell("free")], per_minute=30) == kept


@pytest.mark.parametrize(
    ("state", "count", "fresh", "due"),
    [
        (CellState.CLOSING, 2, False, True),
        (CellState.CLOSING, 0, False, False),
        (CellState.ZERO, 2, False, False),
        (CellState.OPEN, 2, False, False),
        (CellState.ZERO, 2, True, True),
    ],
)
def test_a_closed_cell_is_lowered_without_waiting_for_a_reading_of_all(
    state: CellState, count: int, *, fresh: bool, due: bool
) -> None:
    """Everything else waits for one."""
    assert is_due(a_record(state=state), a_worker_pool(count=count), fresh=fresh) is due


@pytest.mark.parametrize(
    ("cell", "written_before", "counts"),
    [
        (a_cell("a", requested=2, observed=0), 1.0, {"a": 0}),
        (a_cell("a", requested=2, observed=3, state=CellState.OPEN, size=4), 1.0, {"a": 3}),
        (a_cell("a", requested=2, observed=1, state=CellState.OPEN, size=4), 1.0, {}),
        (
            a_cell("a", requested=2, observed=1, state=CellState.OPEN, size=4),
            ADOPT_AFTER_SECONDS + 1,
            {"a": 1},
        ),
        (a_cell("a", requested=2, observed=None, state=CellState.OPEN, size=4), 99.0, {}),
        (a_cell("a", requested=2, observed=1, state=CellState.CLOSING, size=4), 99.0, {}),
    ],
    ids=[
        "a zero",
        "raised by another hand",
        "maybe on its way",
        "lowered by another hand",
        "unknown",
        "closing",
    ],
)
def test_what_was_asked_for_follows_what_is_there(
    cell: CellSeen, written_before: float, counts: dict[str, int]
) -> None:
    """A smaller count is another hand's only when our own write must have arrived; unknown is no zero."""
    found = adopted(seen(cell), last_write_at={"a": NOW - written_before}, begun_at=NOW - 500.0)
    assert found == counts


def test_parked_instances_that_wait_for_registrations_are_looked_at_again_soon() -> None:
    """Nothing tells that registrations are back; how many wait is told once and not cell by cell."""
    facts = seen(
        *(an_open_cell(name, count=2, size=2, parked=2) for name in "abc"),
        demand=demand(*jobs(5)),
        registrations_left=1,
    )
    decision, _ = decide(a_policy(a_pool()), facts, Memory())
    assert [(limit.reason, limit.short) for limit in decision.limits] == [(Reason.NO_REGISTRATIONS_LEFT, 4)]
    assert decision.look_again_at == pytest.approx(NOW + 1.0)


@pytest.mark.parametrize(
    ("record", "hold", "canary"),
    [
        (a_record(hold="drain"), "drain", False),
        (a_record(canary_since=NOW - 5.0), "", True),
        (None, "", False),
    ],
    ids=["held", "canary", "no record"],
)
def test_a_tick_sees_what_a_cell_is_held_for(record: CellRecord | None, hold: str, canary: bool) -> None:
    """From the record alone: no process need tell another of a rollout."""
    facts = CellFacts(
        cell=Cell(name="a", pool="linux", size=1, worker_pool=a_worker_pool("a"), read_at=NOW, fault=None),
        record=record,
        present=Present(parked=0, offered=0),
        requested=0,
        writing=False,
        fault=None,
    )
    found = cell_seen(
        facts, heard=lambda _: None, silent=lambda _: False, jobs={}, settle_seconds=80.0, believed=True
    )
    assert (found.hold, found.canary) == (hold, canary)
