"""PURE: pools whose leases end without a job for a reason that the next one will meet too.

The runner's version is too old for GitHub, the image is broken, or GitHub refuses to register: more leases would only cost
instances and registrations. After two in a row without a job in between the pool stops; after the back-off (ten minutes, unless
configured) one lease is tried. One that has a job ends it.

What is known stands in the records, so nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from cell_records.obstacles import Obstacle
from scaler.core.model import CellSeen, Reason

# How many leases in a row.
IN_A_ROW = 2

# How long a pool stands still before one more lease is spent on it, unless the configuration says otherwise.
BACK_OFF_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """`until`: when one lease may be tried. `tries`: that moment has come."""

    reason: Reason
    until: float
    tries: bool
    detail: str


def held_back(
    cells: Iterable[CellSeen], *, now: float, back_off_seconds: float = BACK_OFF_SECONDS
) -> HeldBack | None:
    """Whether a pool, given by all of its cells, is held back. What a canary meets speaks against its template alone."""
    cells = tuple(cells)
    if not any(cell.obstacles for cell in cells):
        return None
    served_at = max((_served_at(cell) for cell in cells), default=0.0)
    # What a clock ahead of ours has written counts once its moment has come.
    met = sorted(
        (each for cell in cells for each in cell.obstacles if served_at < each.at <= now and not cell.canary),
        key=lambda each: (each.at, each.lease),
    )
    if len(met) < IN_A_ROW:
        return None
    last = met[-1]
    until = last.at + back_off_seconds
    return HeldBack(
        reason=_reason(last.obstacle),
        until=until,
        tries=now >= until,
        detail=f"one lease is tried every {back_off_seconds / 60:.3g} minutes; the last said: {last.words}",
    )


def _served_at(cell: CellSeen) -> float:
    return max([cell.served_at, *(lease.since for lease in cell.leases if lease.had_job)])


def _reason(obstacle: Obstacle) -> Reason:
    match obstacle:
        case Obstacle.RUNNER_DEPRECATED:
            return Reason.RUNNER_TOO_OLD
        case Obstacle.RUNNER_FAILED:
            return Reason.RUNNER_FAILS
        case Obstacle.REGISTRATION_REFUSED:
            return Reason.REGISTRATION_REFUSED
        case _:  # pragma: no cover
            assert_never(obstacle)
