"""PURE: where the counts that were asked for follow what is there: zeros that were seen, and counts of another hand."""

from __future__ import annotations

from collections.abc import Mapping

from cell_records.record import CellState
from scaler.core.model import Seen

# How long a count that is not what was asked for may be our own write still on its way.
ADOPT_AFTER_SECONDS = 30.0


def adopted(seen: Seen, *, last_write_at: Mapping[str, float], begun_at: float) -> dict[str, int]:
    """The counts to note, by cell. `last_write_at`: of this process by cell; `begun_at`: where there was none, its start."""
    counts: dict[str, int] = {}
    for cell in seen.cells:
        if cell.observed is None or not cell.writable or cell.observed == cell.requested:
            continue
        late = seen.at > last_write_at.get(cell.name, begun_at) + ADOPT_AFTER_SECONDS
        if cell.state is CellState.ZERO and cell.observed == 0:
            counts[cell.name] = 0
        elif cell.state is CellState.OPEN and (cell.observed > cell.requested or late):
            counts[cell.name] = cell.observed
    return counts
