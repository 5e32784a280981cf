"""Places where a hand-written schedule stops one call of one process until it says go on.

A call names itself by what it is about to do: `change raising`, `write cell-a 0`, `ask start`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.simulation.virtual_time import PROCESS


@dataclass(slots=True)
class Held:
    """The next call whose name contains `words`, made by `process` (by anyone if empty)."""

    words: str
    process: str = ""
    by: str = ""
    _reached: bool = False
    _go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def reached(self) -> bool:
        """Whether the call stands here, or has stood here."""
        return self._reached

    def release(self) -> None:
        """Let the call go on."""
        self._go_on.set()

    async def stand(self) -> None:
        """Wait for the release."""
        self._reached, self.by = True, PROCESS.get()
        await self._go_on.wait()


class Gates:
    """All places of one world."""

    def __init__(self) -> None:
        self._held: list[Held] = []

    def hold(self, words: str, *, process: str = "") -> Held:
        """Stop the next such call."""
        held = Held(words, process)
        self._held.append(held)
        return held

    async def passed(self, name: str) -> None:
        """Go through, now or once released."""
        for held in self._held:
            if not held.reached and held.words in name and held.process in ("", PROCESS.get()):
                await held.stand()
                return
