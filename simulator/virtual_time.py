"""PURE: events in the order of their time, and nothing in between."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class VirtualTime:
    """A clock that jumps from one event to the next. Events of one moment come in the order they were asked for."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen at a moment; one in the past happens now."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen `seconds` from now."""
        self.at(self.now + seconds, what)

    def run(self, *, until: float = float("inf"), over: Callable[[], bool] | None = None) -> None:
        """Let time pass until no event is left, `until` has come, or `over` says so after an event."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
            if over is not None and over():
                return
        if until != float("inf"):
            self.now = max(self.now, until)
