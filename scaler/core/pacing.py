"""PURE: how many writes growth may use now, so that a minute's writes are not gone in its first seconds.

A burst that comes at once is spread over as many cells as there are writes. Jobs that come one by one would each take a
write too, and the last of them would wait for the next minute. So the last of the writes are handed out at intervals, which get
longer as fewer are left; each covers all that has come meanwhile with as few cells as will hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from scaler.core.model import Seen

WINDOW_SECONDS = 60.0

# A burst leaves one in so many of the minute's writes for what comes after it.
LEFT_BY_A_BURST = 5

# When no more than one in so many of the minute's writes is left, they are handed out at intervals.
SCARCE = 4


@dataclass(slots=True)
class GrowthWrites:
    """`left`: what growth may use in this decision; `scarce`: as few as will do; `again_at`: when there is more."""

    left: int
    scarce: bool = False
    again_at: float = float("inf")

    def for_cells(self, *, short: int, room: int) -> int:
        """How many cells may be raised for `short` instances, when the largest has that much room."""
        return min(self.left, ceil(short / max(1, room))) if self.scarce else self.left


def growth_writes(seen: Seen, *, grew_at: float) -> GrowthWrites:
    """What one decision may use. `grew_at`: when the last one raised anything; looking twice at one moment is once."""
    left, per_minute = seen.writes_left, seen.writes_per_minute
    if SCARCE * left > per_minute:
        return GrowthWrites(left=max(1, left - per_minute // LEFT_BY_A_BURST), again_at=seen.at + 1.0)
    if left <= 0:
        return GrowthWrites(left=0, scarce=True, again_at=seen.at + 1.0)
    again_at = grew_at + WINDOW_SECONDS / (2 * left)
    if grew_at < seen.at < again_at:
        return GrowthWrites(left=0, scarce=True, again_at=again_at)
    return GrowthWrites(left=left, scarce=True, again_at=seen.at + WINDOW_SECONDS / (2 * left))
