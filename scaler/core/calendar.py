"""PURE: spans of the week by the clock on the wall of one place, and what a pool's schedule says of them.

Only local times are compared. So a span that begins in the hour which a change to summer time leaves out begins when that
hour would have, one in the hour that comes twice holds twice, and a night of a change is an hour shorter or longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

MINUTES_OF_DAY = 1440
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekSpan:
    """`days`: 0 is Monday. `begins` and `ends`: minutes after midnight; a span that ends before it begins goes over midnight
    and belongs to the day on which it begins.
    """

    zone: tzinfo
    days: frozenset[int] = EVERY_DAY
    begins: int = 0
    ends: int = MINUTES_OF_DAY

    def covers(self, at: float) -> bool:
        """Whether a moment (seconds since the epoch) lies in it."""
        local = datetime.fromtimestamp(at, self.zone)
        today, minute = local.weekday(), 60 * local.hour + local.minute
        if self.begins < self.ends:
            return today in self.days and self.begins <= minute < self.ends
        yesterday = (today - 1) % 7
        return (today in self.days and minute >= self.begins) or (
            yesterday in self.days and minute < self.ends
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry:
    """What holds of a pool in a span; None leaves what the pool says. `words`: the span for people."""

    span: WeekSpan
    words: str
    min: int | None = None
    max: int | None = None
    warm: int | None = None
