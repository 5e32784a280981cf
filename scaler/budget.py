"""PURE: how much of a per-minute limit is left, over any sixty seconds and not only the calendar's."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0


class MinuteBudget:
    """Counts uses in a sliding minute. Times are seconds on any one clock."""

    def __init__(self, per_minute: int) -> None:
        """`per_minute`: how many uses fit into any sixty seconds."""
        self.per_minute = per_minute
        self._used: deque[float] = deque()
        self._none: tuple[float, float] | None = None

    def left(self, now: float, *, reserve: int = 0) -> int:
        """How many uses are left, after keeping `reserve` of them back for others."""
        if self._none is not None and self._none[0] <= now < self._none[1]:
            return 0
        if self._used and self._used[-1] > now:
            # The clock was set back: what was counted by the old one would never leave the window.
            self._used.clear()
        while self._used and self._used[0] <= now - WINDOW_SECONDS:
            self._used.popleft()
        return max(0, self.per_minute - reserve - len(self._used))

    def use(self, now: float) -> None:
        """Count one use, whether or not it was left: what was sent was sent."""
        self._used.append(now)

    def use_up(self, now: float, *, seconds: float) -> None:
        """Count everything as used for a while: who keeps the limit has said so. A clock that is set back ends it."""
        self._none = (now, now + seconds)
