"""PURE: how much Cloud Run has lately been willing to start: learnt from refusals, forgotten with time.

All cells of a deployment share one region and so its quota. The quotas are of CPU and memory, and pools may have machines of
different size, so what is refused to one pool may be granted to another: a pool is held to the limit from its own first refusal
on. What is counted are instances, whatever their size. That is coarse, and errs for minutes at most: above what was there at the
last refusal one cell at a time is tried, more and more rarely, and the first success ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from scaler.core.model import Capacity, CellSeen

# How long after a refusal, or a try, one cell may be tried; it doubles with each try that is refused.
FIRST_TRY_SECONDS = 60.0
LONGEST_TRY_SECONDS = 600.0

# What was refused so long ago says nothing any more.
FORGOTTEN_AFTER_SECONDS = 1800.0


def learnt(before: Capacity, cells: Iterable[CellSeen], *, now: float) -> Capacity:
    """What is known after one more look."""
    cells = tuple(cells)
    # What a clock ahead of ours has written counts once its moment has come.
    refused_at = max((cell.refused_at for cell in cells if cell.refused_at <= now), default=0.0)
    refused = frozenset(cell.pool for cell in cells if before.refused_at < cell.refused_at <= now)
    if before.limit is None and refused_at <= before.refused_at:
        return before
    there = sum(map(_surely_there, cells))
    if refused_at > before.refused_at:
        if now >= refused_at + FORGOTTEN_AFTER_SECONDS:
            return replace(before, refused_at=refused_at, limit=None, pools=frozenset())
        # A burst is refused cell by cell; only the refusal of a try makes tries rarer.
        of_a_try = before.limit is not None and before.refused_at < before.tried_at < refused_at
        tries = before.tries + 1 if of_a_try else before.tries if before.limit is not None else 0
        pools = refused if before.limit is None else before.pools | refused
        return replace(before, limit=there, refused_at=refused_at, tries=tries, pools=pools)
    # More than the limit is a success only after a try that had its time to be refused. Otherwise containers that were being
    # replaced at the refusal, and so were not counted into the limit, are merely back.
    tried = before.refused_at < before.tried_at <= now - FIRST_TRY_SECONDS
    succeeded = before.limit is not None and there > before.limit and tried
    if succeeded or now >= before.refused_at + FORGOTTEN_AFTER_SECONDS:
        return replace(before, limit=None, pools=frozenset())
    return before


def room(known: Capacity, cells: Iterable[CellSeen]) -> int | None:
    """How many more instances the refused pools may ask for without a try; None when nothing limits them."""
    if known.limit is None:
        return None
    return max(0, known.limit - sum(map(_held_by, cells)))


def back_off_seconds(known: Capacity) -> float:
    """How long it is from one try to the next."""
    return min(LONGEST_TRY_SECONDS, FIRST_TRY_SECONDS * 2.0 ** min(known.tries, 10))


def next_try_at(known: Capacity) -> float:
    """When one cell may be raised above the limit."""
    return max(known.refused_at, known.tried_at) + back_off_seconds(known)


def may_try(known: Capacity, *, now: float) -> bool:
    """Whether one cell may be raised above the limit now; looking twice at one moment is one try."""
    return known.tried_at == now or now >= next_try_at(known)


def words(known: Capacity) -> str:
    """The limit for people."""
    at = datetime.fromtimestamp(known.refused_at, UTC)
    minutes = back_off_seconds(known) / 60
    every = "every minute" if minutes == 1 else f"every {minutes:.0f} minutes"
    return f"Cloud Run refused more than {known.limit} instances at {at:%H:%M} UTC; one try {every}"


def _surely_there(cell: CellSeen) -> int:
    """Instances that speak, or that Cloud Run shows for a change that it has carried out."""
    heard = min(cell.counted, cell.held + cell.parked)
    if cell.failed is not None or cell.refused_at or not cell.writable or cell.observed is None:
        return heard
    return max(heard, min(cell.requested, cell.observed))


def _held_by(cell: CellSeen) -> int:
    """What the cell takes of the quota, or may still take."""
    if cell.failed is not None or cell.refused_at:
        return min(cell.counted, cell.held + cell.parked)
    return cell.counted
