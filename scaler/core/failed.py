"""PURE: cells whose last change Cloud Run could not carry out, because the region has no quota left, say.

Their count shows what was asked for, and no more instances come than are there. A count is never lowered to fit: a cell
that holds nothing is closed, goes to zero like any other, and can be tried again. The rest after the refusal (the cell's
`fault`) spaces the tries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cell_records.record import CellState
from scaler.core.model import CellSeen, Limit, Reason


def limits_of_failed(pool: str, cells: Iterable[CellSeen]) -> Iterator[Limit]:
    """What the pool is short of since Cloud Run refused, in its words; nothing when all has come."""
    failed = [cell for cell in cells if cell.state is CellState.OPEN and cell.failed is not None]
    if failed:
        missing = sum(cell.counted - cell.expected for cell in failed)
        words = sorted({cell.failed for cell in failed if cell.failed is not None})
        yield Limit(pool=pool, reason=Reason.NO_CAPACITY, short=missing, detail="; ".join(words))


def failed_and_empty(cells: Iterable[CellSeen], *, busy: Collection[str]) -> list[CellSeen]:
    """Those that hold no lease and no instance, in no particular order. `busy`: cells that something is asked of now."""
    return [
        cell
        for cell in cells
        if cell.state is CellState.OPEN
        and cell.failed is not None
        and cell.fault is None
        and cell.writable
        and not (cell.leases or cell.offered or cell.parked)
        and cell.name not in busy
    ]
