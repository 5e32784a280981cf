"""PURE: a quota that fills evenly and holds one minute's worth."""

from __future__ import annotations

_ROUNDING = 1e-9
"""Seconds by which a moment computed here may miss itself."""


class Bucket:
    """So many uses a minute, all of them at once if it is full. Times are seconds on any one clock."""

    def __init__(self, per_minute: int) -> None:
        """A full bucket; one of zero a minute is empty for ever."""
        self._each = 60.0 / per_minute if per_minute > 0 else float("inf")
        self._whole = 60.0 - self._each
        self._full_at = float("-inf")

    def next_at(self, now: float) -> float:
        """When one use is there; `now` if it is already, infinity if it never will be."""
        if self._each == float("inf"):
            return float("inf")
        free = self._full_at - self._whole
        return now if free <= now + _ROUNDING else free

    def take(self, now: float) -> bool:
        """Use one and tell whether it was there."""
        if self.next_at(now) > now:
            return False
        self._full_at = max(self._full_at, now) + self._each
        return True
