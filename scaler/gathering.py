"""Changes of one record that are wanted at the same time, made by one write.

A store may allow one write of a key a second (Cloud Storage does), and eight instances of a cell may start at once: one
write each would keep the last of them waiting for longer than it waits for its registration. So whoever comes while a
write of the same key is under way, or while the next must wait for its turn, is served by the next write together with
all others that came. Only what waits lives here; how wishes become one write stands in `cell_records.change`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cell_records.change import Change, Settled
from cell_records.patience import Again, Patience

Wish = TypeVar("Wish")
Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class _Batch(Generic[Wish, Result]):
    """Wishes that will be made together. `outcomes`: one for each, once they are."""

    wishes: list[Wish] = field(default_factory=list)
    outcomes: asyncio.Task[list[Result]] | None = None


class Gathering(Generic[Wish, Result]):
    """One batch per key is under way, and one more may form meanwhile."""

    def __init__(
        self,
        change: Callable[[str, list[Wish]], Change[Result]],
        *,
        attempt: Callable[[Change[Result]], Awaitable[Settled[Result] | Again]],
        apart_seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        """`change`: name and wishes to one change; `attempt`: carries one attempt out, in a thread for instance;
        `apart_seconds`: between the end of one write of a key and the next; `clock`: seconds that never jump.
        """
        self._change = change
        self._attempt = attempt
        self._apart_seconds = apart_seconds
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._forming: dict[str, _Batch[Wish, Result]] = {}
        self._last: dict[str, asyncio.Task[list[Result]]] = {}
        self._wrote_at: dict[str, float] = {}

    async def made(self, name: str, wish: Wish) -> Result:
        """The outcome of this wish, once it is written or needs no write. Raises what the change raises.

        Giving up the wait does not take the wish back.
        """
        batch = self._forming.get(name)
        if batch is None:
            batch = self._forming[name] = _Batch()
            batch.outcomes = asyncio.get_running_loop().create_task(
                self._carried_out(name, batch, after=self._last.get(name))
            )
            self._last[name] = batch.outcomes
        place = len(batch.wishes)
        batch.wishes.append(wish)
        assert batch.outcomes is not None
        outcomes = await asyncio.shield(batch.outcomes)
        return outcomes[place]

    def wrote(self, name: str) -> None:
        """Another write of this key has just ended."""
        self._wrote_at[name] = self._clock()

    async def _carried_out(
        self, name: str, batch: _Batch[Wish, Result], *, after: asyncio.Task[list[Result]] | None
    ) -> list[Result]:
        try:
            if after is not None:
                await asyncio.wait([after])
            await self._turn(name)
        finally:
            # Whoever comes from here on wants what is there after this batch.
            del self._forming[name]
        try:
            return await self._settled(name, batch.wishes)
        finally:
            if self._last.get(name) is batch.outcomes:
                del self._last[name]

    async def _turn(self, name: str) -> None:
        wrote_at = self._wrote_at.get(name)
        if wrote_at is not None and (early := wrote_at + self._apart_seconds - self._clock()) > 0:
            await self._sleep(early)

    async def _settled(self, name: str, wishes: list[Wish]) -> list[Result]:
        change = self._change(name, wishes)
        patience = Patience(change.key, chance=self._chance)
        while isinstance(end := await self._attempt(change), Again):
            seconds = patience.seconds_before_next(end)
            if seconds > 0:
                await self._sleep(seconds)
        if end.wrote:
            self.wrote(name)
        return end.outcomes
