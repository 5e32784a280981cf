"""When to look: at once on a signal, again when a decision asks for it, and in intervals without any signal.

A signal only says "look now"; repeating, losing or reordering signals changes the moment, never the conclusion.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from cell_records.errors import RecordError
from cell_records.record import CellState
from scaler.core.model import DemandSeen
from scaler.errors import LoopBroken, PromiseBroken
from scaler.instances import OFFER_SECONDS
from scaler.lease_ends import LeaseEnded
from scaler.observability import Journal
from scaler.reconciler import TickRecord

# Signals that come closer together than this share one tick. A tick over a thousand instances computes for a few
# milliseconds, so even a storm of signals leaves most of a core free.
SHORTEST_BETWEEN_TICKS_SECONDS = 0.025

# A second look that a decision waits for is taken no sooner than this after the first.
CONFIRM_AFTER_SECONDS = 1.0

# Callers with a secret that is not known make the worker pools be read no more often than this.
CELLS_AGAIN_SECONDS = 2.0

# How long cron waits for a sweep before the tick is made with what is known: Cloud Scheduler waits 300 s in our deployments and
# counts a call without an answer as failed, which an alert is about.
SWEEP_WAITED_FOR_SECONDS = 120.0

# While nothing moves the worker pools are read this many times less often.
IDLE_FACTOR = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often things are looked at without a signal, in seconds."""

    demand: float
    cells: float
    leader_renewal: float


class Ticking(Protocol):
    """What does one tick."""

    async def tick(self, *, look: bool) -> TickRecord:
        """Observe, decide, begin to act; `look`: read Cloud Run again."""


class Queue(Protocol):
    """What reads GitHub's queue."""

    async def sweep(self) -> None:
        """Look at every repository."""

    async def look(self, repository: str) -> None:
        """Look at one that a signal has named."""

    async def confirm(self, repository: str) -> None:
        """Look at one a second time, because a decision waits for it."""

    def seen(self) -> DemandSeen:
        """The last readings."""


class CellReadings(Protocol):
    """What knows when the worker pools were last read."""

    @property
    def read_at(self) -> float | None:
        """When the last complete reading was begun."""


class Writing(Protocol):
    """What writes counts in the background."""

    @property
    def defect(self) -> BaseException | None:
        """What ended a write though nothing should."""


class Lead(Protocol):
    """This process's hold on the lead."""

    @property
    def who(self) -> str:
        """This process."""

    @property
    def held(self) -> bool:
        """Whether it leads now."""

    async def renew(self) -> bool:
        """Take or keep the lead."""


class Loop:
    """The service's own life, between its HTTP calls."""

    def __init__(
        self,
        *,
        reconciler: Ticking,
        demand: Queue,
        directory: CellReadings,
        writer: Writing,
        leadership: Lead,
        journal: Journal,
        intervals: Intervals,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock`: seconds since the epoch."""
        self._reconciler = reconciler
        self._demand = demand
        self._directory = directory
        self._writer = writer
        self._leadership = leadership
        self._journal = journal
        self._intervals = intervals
        self._clock = clock
        self._sleep = sleep
        self._nudged = asyncio.Event()
        self._ticking = asyncio.Lock()
        self._looks: set[asyncio.Task[None]] = set()
        self._confirming: set[str] = set()
        # Repositories that are looked at for a signal, and whether another came meanwhile.
        self._signalled: dict[str, bool] = {}
        self._looked_at: float | None = None
        self._defect: BaseException | None = None
        self._records_faults: dict[str, str] = {}
        self._decided = False
        self.store_answers = False

    def nudge(self) -> None:
        """Something happened: tick soon."""
        self._nudged.set()

    def nudge_repository(self, repository: str) -> None:
        """Something happened in a repository: look at its queue now, and once more if that look may have been too early.

        However many signals come, one look is under way for them and one more is noted.
        """
        if repository in self._signalled:
            self._signalled[repository] = True
        else:
            self._signalled[repository] = False
            self._in_background(self._look_for_signals(repository))

    def closes_when_empty(self, cell: str) -> bool:
        """Whether the last decision found the cell surplus, linger and second reading included."""
        last = self._journal.last
        return last is not None and last.leads and cell in last.decision.surplus

    def queued_for(self, pool: str) -> int | None:
        """How many queued jobs the last tick saw for a pool; None before demand is known."""
        last = self._journal.last
        if last is None or not last.seen.demand.complete:
            return None
        return next((picture.queued for picture in last.decision.pools if picture.pool == pool), None)

    def is_short(self, pool: str) -> bool:
        """Whether the last decision left jobs of a pool that nothing covers; also while the last tick came to none."""
        last = self._journal.last
        if last is None or not self._decided:
            return True
        return any(picture.pool == pool and picture.uncovered for picture in last.decision.pools)

    def ended(self, event: LeaseEnded) -> None:
        """Hear of a lease's end."""
        self._journal.ended(event)

    async def run(self) -> None:
        """Live until cancelled. Raises LoopBroken when the loop itself fails, not one thing in it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lead())
                tasks.create_task(self._sweep())
                tasks.create_task(self._tick_on_and_on())
        except ExceptionGroup as failures:
            # No `except*`: what is raised from there is a group again in Python 3.11.2.
            first = failures.exceptions[0]
            raise LoopBroken(
                f"The scaler's loop failed: {type(first).__name__}: {first}",
                remedy="Restart it: all that matters is in the records. Please report the lines before this one.",
            ) from first

    async def look_at_everything(self) -> TickRecord | None:
        """What cron asks for: sweep the repositories, then tick. None when the records do not answer.

        A sweep that takes long, because GitHub asks for a pause, say, goes on by itself.
        """
        sweep = asyncio.ensure_future(self._demand.sweep())
        waits = asyncio.ensure_future(self._sleep(SWEEP_WAITED_FOR_SECONDS))
        try:
            await asyncio.wait({sweep, waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits.cancel()
            if not sweep.done():
                self._in_background(sweep)
        if sweep.done():
            await sweep
        return await self._tick(look=True)

    async def look_at_cells(self) -> bool:
        """Read the worker pools for a caller who may know of a newer template than we do. Whether there is a new reading.

        Any step of a workflow may claim to know, so such callers wait for a reading that they share.
        """
        read_at, looked_at = self._directory.read_at, self._looked_at
        if looked_at is not None and self._clock() < looked_at + CELLS_AGAIN_SECONDS:
            await self._sleep(min(looked_at + CELLS_AGAIN_SECONDS - self._clock(), CELLS_AGAIN_SECONDS))
        async with self._ticking:
            # Also a look that came to nothing is one for all who have waited for it.
            if self._looked_at == looked_at:
                await self._ticked(look=True)
        return self._directory.read_at != read_at

    async def _lead(self) -> None:
        while True:
            held = self._leadership.held
            try:
                if await self._leadership.renew() and not held:
                    self._journal.said("leading", who=self._leadership.who)
                    self.nudge()
                self._records_faults.pop("renewal", None)
            except RecordError as error:
                self._tell_records_fault("renewal", str(error))
            await self._sleep(self._intervals.leader_renewal)

    async def _sweep(self) -> None:
        while True:
            await self._demand.sweep()
            await self._sleep(self._intervals.demand)

    async def _tick_on_and_on(self) -> None:
        record: TickRecord | None = None
        while True:
            # Whatever is told from here on may come too late for this tick, so it asks for another one.
            self._nudged.clear()
            record = await self._tick(look=self._clock() >= self._cells_due(record))
            defect = self._writer.defect or self._defect
            if defect is not None:
                raise defect
            over_at = self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._next_look(record) - over_at)):
                    await self._nudged.wait()
            # A signal after a pause is heard at once; only signals that follow upon a tick wait for those behind them. A
            # clock that is set back meanwhile makes the wait no longer.
            since = max(0.0, self._clock() - over_at)
            if since < SHORTEST_BETWEEN_TICKS_SECONDS:
                await self._sleep(SHORTEST_BETWEEN_TICKS_SECONDS - since)

    async def _tick(self, *, look: bool) -> TickRecord | None:
        # Two ticks at once would both spend the same room.
        async with self._ticking:
            return await self._ticked(look=look)

    async def _ticked(self, *, look: bool) -> TickRecord | None:
        if look:
            self._looked_at = self._clock()
        try:
            record = await self._reconciler.tick(look=look)
        except RecordError as error:
            self.store_answers = self._decided = False
            self._tell_records_fault("tick", str(error))
            return None
        except PromiseBroken as error:
            self._decided = False
            self._journal.said("promise_broken", warning=True, what=error.what, remedy=error.remedy)
            return None
        self.store_answers = self._decided = True
        self._records_faults.pop("tick", None)
        self._journal.ticked(record)
        # Every tick asks again until the second look has been taken, and with many repositories that takes a while.
        for repository in record.decision.confirm - self._confirming:
            self._confirming.add(repository)
            reading = record.seen.demand.repositories[repository]
            self._in_background(self._look_later(repository, reading.at + CONFIRM_AFTER_SECONDS))
        return record

    async def _look_for_signals(self, repository: str) -> None:
        try:
            while True:
                self._signalled[repository] = False
                await self._demand.look(repository)
                if not self._signalled[repository]:
                    return
        finally:
            del self._signalled[repository]

    async def _look_later(self, repository: str, at: float) -> None:
        try:
            await self._sleep(max(0.0, at - self._clock()))
            reading = self._demand.seen().repositories.get(repository)
            if reading is None or reading.at < at:
                await self._demand.confirm(repository)
        finally:
            self._confirming.discard(repository)

    def _next_look(self, record: TickRecord | None) -> float:
        due = self._cells_due(record)
        if record is None:
            return due
        if record.decision.grants or any(cell.offered for cell in record.seen.cells):
            # An offer that nobody takes up counts for a job until then, and nobody tells of its end.
            due = min(due, record.at + OFFER_SECONDS)
        return min(due, record.decision.look_again_at)

    def _cells_due(self, record: TickRecord | None) -> float:
        """When the worker pools are to be read again; a reading that failed is not repeated any sooner."""
        tried = [at for at in (self._directory.read_at, self._looked_at) if at is not None]
        pause = self._intervals.cells * (1 if self._moving(record) else IDLE_FACTOR)
        return max(tried) + pause if tried else 0.0

    def _moving(self, record: TickRecord | None) -> bool:
        """Whether counts may change without a signal reaching us."""
        if record is None or record.decision.raises or record.decision.closes or record.decision.confirm:
            return True
        return any(
            cell.state is CellState.CLOSING or not cell.writable or cell.requested != cell.observed
            for cell in record.seen.cells
        ) or any(picture.booting for picture in record.decision.pools)

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._looks.add(task)
        task.add_done_callback(self._look_ended)

    def _look_ended(self, task: asyncio.Task[None]) -> None:
        self._looks.discard(task)
        if not task.cancelled() and (defect := task.exception()) is not None:
            self._defect = defect
            self.nudge()

    def _tell_records_fault(self, where: str, fault: str) -> None:
        """Once for each fault: a store that can be read and not written fails in one place only."""
        if self._records_faults.get(where) != fault:
            self._records_faults[where] = fault
            self._journal.said("records_unavailable", warning=True, what=fault)
