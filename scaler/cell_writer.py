"""Writes counts: opens and raises cells, closes them, carries closing ones to zero; one write in flight per cell.

In which order a cell is looked at and written stands in `core.cell_steps`; here those steps are performed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, assert_never, cast

from cell_records.errors import RecordError
from cell_records.record import CellRecord
from scaler.budget import MinuteBudget
from scaler.cell_directory import Cell
from scaler.cloud_run.wire import Operation, OperationState, WorkerPool
from scaler.core.cell_steps import (
    Change,
    FollowUp,
    LeaveAlone,
    Look,
    SetCount,
    Steps,
    carrying,
    closing,
    lowers,
    raising,
)
from scaler.errors import CapacityRefused, CloudRunError, Conflict, Throttled, Unavailable
from scaler.records import Records

# How long an operation is followed before the cell is looked at like any other.
FOLLOW_SECONDS = 120.0

# How long a cell rests after a write that failed, by what the failure says about trying again.
REST_SECONDS = {CapacityRefused: 60.0, Throttled: 20.0, Unavailable: 5.0, Conflict: 1.0}
REST_OTHERWISE_SECONDS = 60.0


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
        self.refused_at: dict[str, float] = {}
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
        self._begin(cell, raising(to, size=cell.size, now=self._clock, settle_seconds=self._settle_seconds))

    def close_cell(self, cell: Cell) -> None:
        """Close the gate if no lease stands, then set the count to zero; goes on in the background."""
        self._begin(cell, closing(uid=cell.worker_pool.uid, now=self._clock))

    def carry(self, cell: Cell, record: CellRecord, *, inhabited: bool) -> None:
        """Carry a closed cell on by one step. `cell` was read after `record` was; `inhabited`: instances ask for work there."""
        if self.busy(cell.name):
            return
        steps = carrying(record, cell.worker_pool, inhabited=inhabited, now=self._clock)
        if steps is not None and (not lowers(record, cell.worker_pool) or self._may_lower(cell.name)):
            self._begin(cell, steps)

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        while self._in_flight:
            await asyncio.gather(*self._in_flight.values(), return_exceptions=True)

    def _may_lower(self, cell: str) -> bool:
        return self.rest(cell) is None and self._budget.left(self._clock()) > 0

    def _begin(self, cell: Cell, steps: Steps) -> None:
        if cell.name in self._in_flight:
            steps.close()
            return
        task = asyncio.ensure_future(self._guarded(cell, steps))
        self._in_flight[cell.name] = task
        task.add_done_callback(lambda done: self._ended(cell.name, done))

    def _ended(self, cell: str, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(cell, None)
        if not task.cancelled() and task.exception() is not None:
            # Not a failure of the world but of this program: the loop ends itself with it.
            self.defect = task.exception()
        self._on_change()

    async def _guarded(self, cell: Cell, steps: Steps) -> None:
        try:
            await self._perform(cell, steps)
        except CloudRunError as error:
            self._leave_alone(cell.name, error)
        except RecordError as error:
            self._rest_for(cell.name, REST_SECONDS[Unavailable], str(error))

    async def _perform(self, cell: Cell, steps: Steps) -> None:
        operation: Operation | None = None
        answer: Any = None
        while True:
            try:
                request = steps.send(answer)
            except StopIteration:
                return
            match request:
                case SetCount():
                    operation = await self._set(request)
                    answer = operation is not None
                case FollowUp():
                    assert operation is not None
                    await self._follow(cell.name, operation)
                    answer = None
                case LeaveAlone():
                    self._rest_for(cell.name, request.seconds, request.why)
                    answer = None
                case Look() | Change():
                    answer = await self._answer(cell, request)
                case _:  # pragma: no cover
                    assert_never(request)

    async def _answer(self, cell: Cell, request: Look | Change) -> object:
        match request:
            case Change():
                return await self._records.change(cell.name, request.transition, uid=cell.worker_pool.uid)
            case Look.WORKER_POOL:
                return await self._cloud.get_worker_pool(cell.name)
            case Look.RECORD:
                return await self._records.cell(cell.name)
            case Look.REQUESTED:
                return (await self._records.deployment()).requested.get(cell.name, 0)
            case _:  # pragma: no cover
                assert_never(request)

    async def _set(self, request: SetCount) -> Operation | None:
        """The operation; None when the etag was stale."""
        try:
            return await self._write(cast("WorkerPool", request.reading), request.count)
        except Conflict:
            return None

    def _leave_alone(self, cell: str, error: CloudRunError) -> None:
        if isinstance(error, CapacityRefused):
            self.refused_at[cell] = self._clock()
        self._rest_for(cell, REST_SECONDS.get(type(error), REST_OTHERWISE_SECONDS), error.what)

    def _rest_for(self, cell: str, seconds: float, why: str) -> None:
        self._rests[cell] = Rest(until=self._clock() + seconds, why=why)

    async def _write(self, reading: WorkerPool, count: int) -> Operation:
        self._budget.use(self._clock())
        self.last_write_at[reading.id] = self._clock()
        self.refused_at.pop(reading.id, None)
        try:
            return await self._cloud.set_count(reading, count)
        except Throttled:
            # The quota is the project's, not the cell's: other hands write too, so our own count of it was too low.
            self._budget.use_up(self._clock(), seconds=REST_SECONDS[Throttled])
            raise

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
