"""The state machine of one cell: what a reading leads to, and how far a cell is raised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.record import CellState
from scaler.core.cell import Step, next_step, raise_target
from scaler.core.cell_steps import ATTEMPTS, STALE_SECONDS, LeaveAlone, Look, SetCount, lowering, raising
from tests.factories import NOW, UID, a_record, a_worker_pool

OPEN, CLOSING, ZERO = CellState.OPEN, CellState.CLOSING, CellState.ZERO


@pytest.mark.parametrize(
    ("state", "count", "settled", "step"),
    [
        (OPEN, 0, True, Step.NOTHING),
        (OPEN, 3, True, Step.NOTHING),
        (OPEN, 3, False, Step.NOTHING),
        (CLOSING, 3, True, Step.LOWER),
        (CLOSING, 3, False, Step.LOWER),
        (CLOSING, 0, False, Step.NOTHING),
        (CLOSING, 0, True, Step.CONFIRM_ZERO),
        (ZERO, 0, True, Step.NOTHING),
        (ZERO, 0, False, Step.NOTHING),
        (ZERO, 1, True, Step.BACK_TO_CLOSING),
        (ZERO, 1, False, Step.BACK_TO_CLOSING),
    ],
)
def test_a_reading_leads_to_its_step(state: CellState, count: int, settled: bool, step: Step) -> None:
    """An open cell is never lowered by a reading, and closing leads nowhere but to zero."""
    assert next_step(state, count=count, settled=settled) is step


@pytest.mark.parametrize(
    ("state", "count", "step"),
    [(OPEN, 2, Step.NOTHING), (CLOSING, 2, Step.LOWER), (CLOSING, 0, Step.LOWER), (ZERO, 0, Step.NOTHING)],
)
def test_a_zero_that_cloud_run_could_not_carry_out_is_written_again(
    state: CellState, count: int, step: Step
) -> None:
    """Its instances still live; only a closing cell is concerned."""
    assert next_step(state, count=count, settled=False, failed=True) is step


@pytest.mark.parametrize(("inhabited", "step"), [(True, Step.BACK_TO_CLOSING), (False, Step.NOTHING)])
def test_a_failed_change_at_zero_counts_under_instances_alone(inhabited: bool, step: Step) -> None:
    """Without them it may be a template that cannot start, and would fail at zero for ever."""
    assert next_step(ZERO, count=0, settled=True, failed=True, inhabited=inhabited) is step


@pytest.mark.parametrize(
    ("wanted", "size", "observed", "target"),
    [
        (2, 4, 0, 2),
        (4, 4, 3, 4),
        (9, 4, 1, 4),
        (2, 4, 2, None),
        (2, 4, 3, None),
        (9, 4, 6, None),
        (0, 4, 0, None),
    ],
)
def test_a_raise_is_never_below_what_is_there_nor_above_the_size(
    wanted: int, size: int, observed: int, target: int | None
) -> None:
    """Whoever put it there."""
    assert raise_target(wanted=wanted, size=size, observed=observed) == target


@pytest.mark.parametrize("count", [0, 2], ids=["to raise", "to lower"])
def test_a_cell_whose_writes_are_all_stale_rests_and_says_why(count: int) -> None:
    """Somebody changes it all the time; trying on and on would use up the writes of all other cells."""
    pool = replace(a_worker_pool(), count=count)
    record = a_record(state=CLOSING if count else OPEN)
    steps = (
        lowering(uid=UID, now=lambda: NOW)
        if count
        else raising(2, size=2, now=lambda: NOW, settle_seconds=80.0)
    )
    answers: dict[object, object] = {Look.WORKER_POOL: pool, Look.RECORD: record, Look.REQUESTED: 2}
    asked, writes = next(steps), 0
    while not isinstance(asked, LeaveAlone):
        stale = isinstance(asked, SetCount)
        writes += stale
        asked = steps.send(False if stale else answers.get(asked, record))
    assert (writes, asked.seconds) == (ATTEMPTS, STALE_SECONDS)
    assert "refused as stale" in asked.why
    with pytest.raises(StopIteration):
        steps.send(None)
