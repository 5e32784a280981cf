"""PURE: the state machine of one cell, as the protocol draws it.

    ZERO ──open gate, then raise──▶ OPEN ──close gate iff no lease stands──▶ CLOSING ──zero seen, settled──▶
    ZERO

A lower is only ever to zero, only in CLOSING, and leads nowhere but to ZERO. The gate's own moves are in
`cell_records.record`; this module says what to do about a cell whose gate is closed, and how far an open one
may be raised.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from cell_records.record import CellState


class Step(Enum):
    """What carries a cell on, from one reading of its worker pool."""

    NOTHING = "nothing to do"
    LOWER = "set the count to zero, with the etag of this reading"
    CONFIRM_ZERO = "the zero is there and settled: note it"
    BACK_TO_CLOSING = (
        "a cell at zero was raised by somebody, or its instances live on: note that it is closing again"
    )


def next_step(
    state: CellState, *, count: int, settled: bool, failed: bool = False, inhabited: bool = False
) -> Step:
    """What to do about a cell in `state` whose worker pool was read, after the record, as `count`, `settled` and
    `failed` (Cloud Run could not carry its last change out: a zero that failed leaves instances, so it is written again).

    `inhabited`: instances ask for work there. At zero a failed change is written again only under them; it may be a
    template that cannot start, and that would fail at zero for ever.
    """
    match state:
        case CellState.OPEN:
            return Step.NOTHING
        case CellState.CLOSING:
            if count != 0 or failed:
                return Step.LOWER
            return Step.CONFIRM_ZERO if settled else Step.NOTHING
        case CellState.ZERO:
            return Step.BACK_TO_CLOSING if count != 0 or (failed and inhabited) else Step.NOTHING
        case _:  # pragma: no cover
            assert_never(state)


def raise_target(*, wanted: int, size: int, observed: int) -> int | None:
    """The count to write so that a cell comes to `wanted`; None if no write is needed.

    Never below what is there, whoever put it there, and never above the cell's size.
    """
    target = min(wanted, size)
    return target if target > observed else None
