"""A loop of the scaler whose parts are all one fake, driven by a test's clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from scaler.core.model import CellSeen, Decision, DemandSeen, PoolPicture
from scaler.loop import SHORTEST_BETWEEN_TICKS_SECONDS, Intervals, Loop
from scaler.observability import Journal
from scaler.reconciler import TickRecord
from tests.factories import NOW, demand
from tests.scaler_parts import Clock, PacedSleep, a_few_turns, a_picture, a_tick

CELLS, DEMAND, RENEWAL = 10.0, 30.0, 5.0
IDLE_PICTURE = replace(a_picture(), booting=0)
# So far away that only what a test does brings the next tick.
LATER = NOW + 100_000.0


def idle(*cells: CellSeen, picture: PoolPicture = IDLE_PICTURE, **decided: Any) -> TickRecord:
    """A tick after which nothing moves by itself, with some parts of its decision set."""
    return a_tick(Decision(pools=(picture,), look_again_at=LATER, **decided), *cells)


class Scene:
    """A loop and everything it drives; each fake keeps what it was asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sleep = PacedSleep(self.clock)
        self.journal = Journal()
        self.record = idle()
        self.looks: list[bool] = []
        self.tick_gate: asyncio.Event | None = None
        self.sweep_gate: asyncio.Event | None = None
        self.look_gate: asyncio.Event | None = None
        self.fails: dict[str, Exception] = {}
        self.sweeps = 0
        self.looked_at: list[str] = []
        self.confirmed: list[str] = []
        self.confirm_gate: asyncio.Event | None = None
        self.readings: DemandSeen = demand()
        self.renewals = 0
        # What the loop sees of its parts.
        self.read_at: float | None = None
        self.read_works = True
        self.defect: BaseException | None = None
        self.who = "me"
        self.held = False
        self.loop = Loop(
            reconciler=self,
            demand=self,
            directory=self,
            writer=self,
            leadership=self,
            journal=self.journal,
            intervals=Intervals(demand=DEMAND, cells=CELLS, leader_renewal=RENEWAL),
            clock=self.clock,
            sleep=self.sleep,
        )
        self.living: asyncio.Task[None] | None = None

    async def tick(self, *, look: bool) -> TickRecord:
        """See Ticking."""
        self.looks.append(look)
        if self.tick_gate is not None:
            await self.tick_gate.wait()
        self._fail("tick")
        if look and self.read_works:
            self.read_at = self.clock.now
        return self.record

    async def sweep(self) -> None:
        """See Queue."""
        self.sweeps += 1
        if self.sweep_gate is not None:
            await self.sweep_gate.wait()
        self._fail("sweep")

    async def look(self, repository: str) -> None:
        """See Queue."""
        self.looked_at.append(repository)
        if self.look_gate is not None:
            await self.look_gate.wait()
        self._fail("look")
        self.readings = demand(at=self.clock.now)

    async def confirm(self, repository: str) -> None:
        """See Queue."""
        self.confirmed.append(repository)
        if self.confirm_gate is not None:
            await self.confirm_gate.wait()
        self._fail("look")
        self.readings = demand(at=self.clock.now)

    def seen(self) -> DemandSeen:
        """See Queue."""
        return self.readings

    async def renew(self) -> bool:
        """See Lead."""
        self.renewals += 1
        self._fail("renew")
        self.held = True
        return True

    def _fail(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]

    async def begin(self) -> None:
        """Start the loop; its first tick, sweep and renewal, and the tick that the new lead brings, are over afterwards."""
        self.living = asyncio.create_task(self.loop.run())
        await a_few_turns()
        for _ in range(2):
            await self.passes(SHORTEST_BETWEEN_TICKS_SECONDS)

    async def passes(self, seconds: float) -> None:
        """Let time pass for those who sleep."""
        await self.sleep.advance(seconds)

    async def nudged(self, *, after: float = 0.0) -> bool:
        """Let time pass, nudge, and give whether the tick that follows looked at Cloud Run."""
        before = len(self.looks)
        await self.passes(after)
        self.loop.nudge()
        await a_few_turns()
        await self.passes(SHORTEST_BETWEEN_TICKS_SECONDS)
        assert len(self.looks) == before + 1, self.looks
        return self.looks[-1]

    async def ends_with(self) -> BaseException | None:
        """What has ended the loop; fails if it still lives."""
        assert self.living is not None
        await a_few_turns()
        assert self.living.done(), "the loop still lives"
        return self.living.exception()
