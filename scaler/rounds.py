"""Work that is done in rounds: one at a time, and one more when it was asked for meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[None] | None = None
    again: bool = False
    callers: int = 0


class Rounds:
    """A round under way may have begun before what a later caller asks about, so one more follows it; one is
    enough for all who ask meanwhile. Rounds end early when nobody waits for them any more.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: _Running | None = None

    @property
    def under_way(self) -> bool:
        """Whether a round is being done."""
        return self._running is not None

    async def one(self) -> None:
        """Return after a round that began later than this call. Raises what the work raises."""
        running = self._running
        if running is None:
            running = self._running = _Running()
            running.task = asyncio.ensure_future(self._all(running))
        else:
            running.again = True
        assert running.task is not None
        running.callers += 1
        try:
            # Shielded: one caller who gives up must not take the round away from the others.
            await asyncio.shield(running.task)
        finally:
            running.callers -= 1
            if not running.callers:
                running.task.cancel()
                self._end(running)

    async def _all(self, running: _Running) -> None:
        try:
            while True:
                running.again = False
                await self._work()
                if not running.again:
                    return
        finally:
            self._end(running)

    def _end(self, running: _Running) -> None:
        if self._running is running:
            self._running = None
