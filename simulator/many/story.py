"""PURE: what has happened in a world, told only when somebody asks."""

from __future__ import annotations

from collections import deque

from simulator.virtual_time import VirtualTime

LAST = 80
"""How much of a story is kept of a world that nobody asked for by its seed."""


class Story:
    """Keeps the last `most` things; all of them when None."""

    def __init__(self, most: int | None = LAST) -> None:
        self.clock = VirtualTime()
        self._began_at: float | None = None
        self._lines: deque[tuple[float, str, tuple[object, ...]]] = deque(maxlen=most)

    def now(self) -> float:
        """Seconds since the first thing happened."""
        if self._began_at is None:
            self._began_at = self.clock.now
        return self.clock.now - self._began_at

    def tell(self, what: str, *details: object) -> None:
        """Something happens now."""
        self._lines.append((self.now(), what, details))

    def lines(self) -> tuple[str, ...]:
        """One line each, the time in seconds first."""
        return tuple(
            f"{at:10.2f}  {what:<16} {' '.join(map(str, details))}" for at, what, details in self._lines
        )
