"""Writes counts: opens and raises cells, closes them, carries closing ones to zero; one write in flight per cell.

The order of looks and writes here is the protocol's: the gate is open before a raise is sent and closed before a lower is
sent. Every write names the etag of a reading made before the record was last looked at, so that a pause anywhere makes it
fail instead of kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from cell_records.errors import RecordError
from cell_records.record import (
    CellRecord,
    Gate,
    Outcome,
    Refusal,
    Refused,
    closed,
    count_found_at_zero,
    lowering,
    opened,
    zero_confirmed,
)
from scaler.budget import MinuteBudget
from scaler.cell_directory import Cell
from scaler.cloud_run.wire import Operation, OperationState, ScalingMode, WorkerPool
from scaler.core.cell import Step, next_step, raise_target
from scaler.errors import CapacityRefused, CloudRunError, Conflict, Throttled, Unavailable
from scaler.records import Records

# How often a write is derived again after somebody else was quicker, within one go.
ATTEMPTS = 4

# How long an operation is followed before the cell is looked at like any other.
FOLLOW_SECONDS = 120.0

# How long a cell rests after a write that failed, by what the failure says about trying again.
REST_SECONDS = {CapacityRefused: 60.0, Throttled: 20.0, Unavailable: 5.0, Conflict: 1.0}
REST_OTHERWISE_SECONDS = 60.0

# How soon a zero that Cloud Run could not carry out is written again.
ZERO_AGAIN_SECONDS = 20.0


class Counts(Protocol):
    """What this module needs of Cloud Run."""

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """One worker pool, with its etag."""

    async def set_count(self, pool: WorkerPool, count: int) -> Operation:
        """Write the count, refused when the etag of `pool` is stale."""

    async def operation(self, name: str) -> OperationState:
        """How far an operation is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Why a cell is left alone for a while."""

    until: float
    why: str


class CellWriter:
    """The only place that writes counts."""

    def __init__(
        self,
        cloud: Counts,
        records: Records,
        *,
        budget: MinuteBudget,
        settle_seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_change: Callable[[], None],
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """`budget`: writes a minute; `on_change`: called when a write was made or has failed."""
        self._cloud = cloud
        self._records = records
        self._budget = budget
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._sleep = sleep
        self._on_change = on_change
        self._follow_seconds = follow_seconds
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._rests: dict[str, Rest] = {}
        self.last_write_at: dict[str, float] = {}
        self.defect: BaseException | None = None

    def busy(self, cell: str) -> bool:
        """Whether a write of this process is in flight for the cell."""
        return cell in self._in_flight

    def rest(self, cell: str) -> Rest | None:
        """Why the cell is left alone now, if it is."""
        rest = self._rests.get(cell)
        return rest if rest is not None and self._clock() < rest.until else None

    def raise_cell(self, cell: Cell, to: int) -> None:
        """Open the cell if it is at zero, then ask for `to` instances; goes on in the background."""
        self._begin(cell.name, self._raised(cell, to))

    def close_cell(self, cell: Cell) -> None:
        """Close the gate if no lease stands, then set the count to zero; goes on in the background."""
        self._begin(cell.name, self._closed(cell))

    def carry(self, cell: Cell, record: CellRecord) -> None:
        """Carry a closed cell on by one step. `cell` was read after `record` was."""
        pool = cell.worker_pool
        if pool.count is None or self.busy(cell.name):
            return
        failed = pool.failure is not None
        step = next_step(record.state, count=pool.count, settled=pool.settled, failed=failed)
        match step:
            case Step.NOTHING:
                return
            case Step.LOWER:
                if self.rest(cell.name) is None and self._budget.left(self._clock()) > 0:
                    self._begin(cell.name, self._lowered(cell))
            case Step.CONFIRM_ZERO:
                self._begin(cell.name, self._zeroed(cell, record))
            case Step.BACK_TO_CLOSING:
                self._begin(cell.name, self._noted(cell, self._only_as_read(record, count_found_at_zero)))

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        while self._in_flight:
            await asyncio.gather(*self._in_flight.values(), return_exceptions=True)

    def _begin(self, cell: str, work: Coroutine[Any, Any, None]) -> None:
        if cell in self._in_flight:
            work.close()
            return
        task = asyncio.ensure_future(self._guarded(cell, work))
        self._in_flight[cell] = task
        task.add_done_callback(lambda done: self._ended(cell, done))

    def _ended(self, cell: str, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(cell, None)
        if not task.cancelled() and task.exception() is not None:
            # Not a failure of the world but of this program: the loop ends itself with it.
            self.defect = task.exception()
        self._on_change()

    async def _guarded(self, cell: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CloudRunError as error:
            self._leave_alone(cell, error)
        except RecordError as error:
            self._rest_for(cell, REST_SECONDS[Unavailable], str(error))

    def _leave_alone(self, cell: str, error: CloudRunError) -> None:
        self._rest_for(cell, REST_SECONDS.get(type(error), REST_OTHERWISE_SECONDS), error.what)

    def _rest_for(self, cell: str, seconds: float, why: str) -> None:
        self._rests[cell] = Rest(until=self._clock() + seconds, why=why)

    async def _raised(self, cell: Cell, to: int) -> None:
        outcome = await self._change(
            cell, lambda it: opened(it, now=self._clock(), settle_seconds=self._settle_seconds)
        )
        if isinstance(outcome, Refused):
            return
        for _ in range(ATTEMPTS):
            reading = await self._cloud.get_worker_pool(cell.name)
            target = raise_target(wanted=to, size=cell.size, observed=reading.count or 0)
            if target is None or reading.count is None or reading.scaling_mode is not ScalingMode.MANUAL:
                return
            # Looked at after the reading: had the cell been closed and zeroed since, this etag would be stale.
            record = await self._records.cell(cell.name)
            if record is None or record.gate is not Gate.OPEN or record.uid != reading.uid:
                return
            # A successor may have found this request unmet, and have spent its room elsewhere.
            if (await self._records.deployment()).requested.get(cell.name, 0) < target:
                return
            try:
                operation = await self._write(reading, target)
            except Conflict:
                continue
            await self._follow(cell.name, operation)
            return

    async def _closed(self, cell: Cell) -> None:
        if not isinstance(await self._change(cell, closed), Refused):
            await self._lowered(cell)

    async def _lowered(self, cell: Cell) -> None:
        for _ in range(ATTEMPTS):
            reading = await self._cloud.get_worker_pool(cell.name)
            if reading.uid != cell.worker_pool.uid or (not reading.count and reading.failure is None):
                return
            # Changed after the reading: a cell that was zeroed, opened and raised meanwhile is no longer CLOSING, and one
            # that is opened from here on gets a new etag with its raise. And nobody may confirm an earlier zero any more.
            noted = await self._change(cell, lambda it: lowering(it, now=self._clock()))
            if isinstance(noted, Refused):
                return
            if not reading.count:
                # Where the template itself is broken this zero fails too; once in a while is enough then.
                self._rest_for(
                    cell.name, ZERO_AGAIN_SECONDS, f"its zero was not carried out: {reading.failure}"
                )
            try:
                await self._write(reading, 0)
            except Conflict:
                continue
            return

    async def _zeroed(self, cell: Cell, record: CellRecord) -> None:
        """Note a zero, on a reading of this very cell: lists have been known to lag."""
        reading = await self._cloud.get_worker_pool(cell.name)
        if reading.uid != record.uid or reading.count is None:
            return
        count, settled = reading.count, reading.settled
        await self._change(
            cell,
            self._only_as_read(
                record, lambda it: zero_confirmed(it, count=count, settled=settled, now=self._clock())
            ),
        )

    async def _noted(self, cell: Cell, transition: Callable[[CellRecord], Outcome]) -> None:
        await self._change(cell, transition)

    async def _write(self, reading: WorkerPool, count: int) -> Operation:
        self._budget.use(self._clock())
        self.last_write_at[reading.id] = self._clock()
        return await self._cloud.set_count(reading, count)

    async def _follow(self, cell: str, operation: Operation) -> None:
        until, pause = self._clock() + self._follow_seconds, 0.25
        while self._clock() < until:
            state = await self._cloud.operation(operation.name)
            if state.done:
                if state.error is not None:
                    self._leave_alone(cell, state.error)
                return
            await self._sleep(pause)
            pause = min(5.0, pause * 2)

    async def _change(self, cell: Cell, transition: Callable[[CellRecord], Outcome]) -> Outcome:
        return await self._records.change(cell.name, transition, uid=cell.worker_pool.uid)

    @staticmethod
    def _only_as_read(
        read: CellRecord, transition: Callable[[CellRecord], Outcome]
    ) -> Callable[[CellRecord], Outcome]:
        """A transition that declines when the record is no longer the one that the reading followed."""
        return lambda it: transition(it) if it == read else Refused(reason=Refusal.NOT_SETTLED)
