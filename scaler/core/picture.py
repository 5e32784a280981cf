"""PURE: the numbers that one pool was decided on, for the tick's line, `/status` and `plan`."""

from __future__ import annotations

from collections.abc import Sequence

from scaler.core.model import CellSeen, PoolPicture, PoolPolicy, QueuedJob


def picture_of(
    pool: PoolPolicy,
    cells: Sequence[CellSeen],
    queued: Sequence[QueuedJob],
    *,
    uncovered: int,
    wanted: int,
    now: float,
) -> PoolPicture:
    """One pool's numbers. `queued`: oldest first; `uncovered`: how many of them nothing will take."""
    open_cells = [cell for cell in cells if cell.serves]
    parked = sum(cell.parked for cell in open_cells)
    return PoolPicture(
        pool=pool.name,
        queued=len(queued),
        uncovered=uncovered,
        oldest_queued_seconds=max(0.0, now - queued[0].queued_at) if queued else None,
        parked=parked,
        booting=max(0, sum(cell.expected - cell.held for cell in open_cells) - parked),
        leased=sum(len(cell.leases) for cell in cells),
        wanted=wanted,
        requested=sum(cell.requested for cell in cells),
        observed=sum(cell.observed or 0 for cell in cells),
        min=pool.min,
        max=pool.max,
        warm=pool.warm,
        schedule=pool.rule,
        paused=pool.paused is not None,
    )
