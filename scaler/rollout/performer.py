"""Performs what a round asks for: on records by compare-and-set, on worker pools with their etags. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol, assert_never

from cell_records.record import (
    CellRecord,
    Outcome,
    Refusal,
    Refused,
    first_record,
    held,
    left_held,
    released,
    released_anew,
    tried,
)
from scaler.budget import MinuteBudget
from scaler.cell_directory import DEPLOYMENT_LABEL, POOL_LABEL, Cell, cell_in
from scaler.cell_writer import CellWriter, Counts
from scaler.cloud_run.wire import Document, Operation, WorkerPool
from scaler.errors import CloudRunError, Conflict, NotFound, Throttled
from scaler.records import AllRecords, Records
from scaler.rollout.cells import CellNow, Goal, Task
from scaler.rollout.rounds import Action, Do
from scaler.rollout.steps import (
    Delete,
    Look,
    Remove,
    SetField,
    Steps,
    changing,
    deleting,
    forgetting,
    may_be_forgotten,
)
from scaler.rollout.template import TemplateWish

# How long nothing is written after Cloud Run has refused a write for its quota.
THROTTLED_SECONDS = 20.0


class WorkerPools(Counts, Protocol):
    """What this module needs of Cloud Run."""

    async def list_documents(self) -> list[Document]:
        """Every worker pool of the region, whole."""

    async def get_document(self, worker_pool_id: str) -> Document:
        """One worker pool, whole."""

    async def set_field(self, of: Document, name: str, value: object) -> Operation:
        """Write one field, refused when the etag of `of` is stale."""

    async def delete_worker_pool(self, pool: WorkerPool) -> Operation:
        """Delete it, refused when the etag of `pool` is stale."""


class Selection:
    """Which cells a verb is about."""

    def __init__(
        self, *, deployment: str, pools: Collection[str], pool: str | None, cells: Collection[str]
    ) -> None:
        """`pools`: the configured names; `pool`: only its cells; `cells`: only those. Neither: all of the deployment."""
        self._deployment = deployment
        self._pools = pools
        self._pool = pool
        self._cells = frozenset(cells)

    def found(self, documents: Collection[Document], *, read_at: float) -> dict[str, tuple[Cell, Document]]:
        """The cells among the worker pools of the region."""
        cells = {}
        for each in documents:
            labels = each.reading.labels
            if labels.get(DEPLOYMENT_LABEL) != self._deployment:
                continue
            cell = cell_in(each.reading, deployment=self._deployment, pools=self._pools, read_at=read_at)
            if cell is not None and self._named(cell.name, labels.get(POOL_LABEL)):
                cells[cell.name] = (cell, each)
        return cells

    def _named(self, cell: str, pool: str | None) -> bool:
        return (not self._cells or cell in self._cells) and self._pool in (None, pool)

    def may_mean(self, cell: str) -> bool:
        """Whether it may be about a cell whose worker pool is gone, and with it the word of which pool it was."""
        return not self._cells or cell in self._cells

    def missing(self, found: Collection[str]) -> list[str]:
        """Cells that were asked for by their name and are not there."""
        return sorted(self._cells - set(found))

    @property
    def names_no_pool(self) -> bool:
        """Whether a pool was asked for that the configuration does not have."""
        return self._pool is not None and self._pool not in self._pools


def generation_of(reading: WorkerPool, *, before: int | None) -> int:
    """From which generation on a reading shows what came of a write that was taken with the etag of `reading`.

    A write makes the next generation. One that changes nothing, as Cloud Run sees it, makes none; and then a second one is taken
    at the generation of the first (`before`: what was found for that).
    """
    made_none = before is not None and reading.generation < before
    return reading.generation if made_none else reading.generation + 1


class Performer:
    """One verb's hands. `on_step` hears of each step before it is made."""

    def __init__(
        self,
        task: Task,
        selection: Selection,
        *,
        cloud: WorkerPools,
        records: Records,
        writer: CellWriter,
        budget: MinuteBudget,
        owner: str,
        clock: Callable[[], float],
        on_step: Callable[[Action], None] = lambda _: None,
    ) -> None:
        """`budget`: this verb's share of the writes a minute, which `writer` draws from too."""
        self._task = task
        self._selection = selection
        self._cloud = cloud
        self._records = records
        self._writer = writer
        self._budget = budget
        self._owner = owner
        self._clock = clock
        self._on_step = on_step
        self._cells: Mapping[str, tuple[Cell, Document]] = {}
        self._written_at: dict[str, int] = {}
        self._met_at: dict[str, int] = {}
        self.told: dict[str, str] = {}

    async def look(self) -> list[CellNow]:
        """Every cell as it is now, the records read first. Raises CloudRunError, RecordError."""
        if self._writer.defect is not None:
            raise self._writer.defect
        records = await self._records.all()
        read_at = self._clock()
        documents = await self._cloud.list_documents()
        self._cells = self._selection.found(documents, read_at=read_at)
        wish = self._task.wish
        for name, (_, document) in self._cells.items():
            if wish is not None and not wish.differences(name, document.data):
                self._met_at[name] = document.reading.generation
        found = [
            CellNow(
                name=name,
                record=records.cells.get(name),
                document=document,
                fault=records.unreadable.get(name) or self._fault(cell, records.cells.get(name)),
                written=self._written_at.get(name),
                met_at=self._met_at.get(name),
            )
            for name, (cell, document) in self._cells.items()
        ]
        there = {each.reading.id for each in documents if not each.reading.deleted}
        return [*found, *self._deleted(records, there=there)]

    def missing(self) -> list[str]:
        """Cells that were asked for and are not there."""
        return self._selection.missing(self._cells)

    @property
    def names_no_pool(self) -> bool:
        """See Selection."""
        return self._selection.names_no_pool

    async def perform(self, action: Action) -> None:
        """Make one step, once. What cannot be made now is told in `told` and asked for again. Raises CloudRunError that no
        further try would cure, and RecordError.
        """
        self._on_step(action)
        self.told.pop(action.cell, None)
        try:
            await self._made(action)
        except Throttled as error:
            self._budget.use_up(self._clock(), seconds=THROTTLED_SECONDS)
            self.told[action.cell] = error.what
        except CloudRunError as error:
            # One that another hand has deleted meanwhile is not in the next look.
            if not error.may_retry and not isinstance(error, NotFound):
                raise
            self.told[action.cell] = error.what

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        await self._writer.settle()

    def _fault(self, cell: Cell, record: CellRecord | None) -> str | None:
        if record is not None and record.owner != self._owner:
            return f"its record belongs to the deployment {record.owner}"
        # Where everything is to go, a cell at fault goes too; its record says whether it may.
        return cell.fault if self._task.goal is Goal.CHANGE else None

    def _deleted(self, records: AllRecords, *, there: Collection[str]) -> list[CellNow]:
        """Records whose worker pool an earlier run of this deletion has deleted. `there`: every worker pool of the region."""
        if self._task.goal is not Goal.DELETE:
            return []
        return [
            CellNow(name=name, record=record, document=None)
            for name, record in records.cells.items()
            if name not in there
            and self._selection.may_mean(name)
            and record.hold == self._task.hold
            and record.owner == self._owner
        ]

    async def _made(self, action: Action) -> None:
        name, hold = action.cell, self._task.hold
        match action.do:
            case Do.HOLD:
                await self._hold(name)
            case Do.LEAVE_HELD:
                await self._changed(name, lambda it: left_held(it, hold))
            case Do.CLOSE | Do.CARRY:
                await self._emptied(action)
            case Do.RELEASE:
                await self._changed(name, lambda it: released(it, hold))
            case Do.RELEASE_ANEW | Do.RELEASE_CANARY:
                canary, now = action.do is Do.RELEASE_CANARY, self._clock()
                await self._changed(name, lambda it: released_anew(it, hold, canary=canary, now=now))
            case Do.END_TRIAL:
                await self._changed(name, tried)
            case Do.WRITE:
                assert self._task.wish is not None
                steps = changing(name, hold=hold, wish=self._task.wish, written=self._written_at.get(name))
                await self._performed(name, steps)
            case Do.DELETE:
                await self._performed(name, deleting(hold=hold))
            case Do.FORGET:
                await self._performed(name, forgetting(hold=hold))
            case _:  # pragma: no cover
                assert_never(action.do)

    async def _hold(self, name: str) -> None:
        task = self._task
        outcome = await self._changed(name, lambda it: held(it, task.hold, take_over=task.take_over))
        if not isinstance(outcome, Refused) or outcome.reason is not Refusal.NO_RECORD:
            return
        # Lists may lag, and its record may have been lost under jobs.
        reading = await self._cloud.get_worker_pool(name)
        first = first_record(
            owner=self._owner,
            uid=reading.uid,
            count=1 if reading.count is None else reading.count,
            settled=reading.settled,
            untouched=reading.generation == 1,
            now=self._clock(),
            location=self._records.location,
        )
        if not isinstance(first, Refused):
            await self._records.create(name, replace(first, hold=task.hold))

    async def _emptied(self, action: Action) -> None:
        cell, _ = self._cells[action.cell]
        if self._writer.busy(cell.name):
            return
        rest = self._writer.rest(cell.name)
        if rest is not None:
            self.told[cell.name] = rest.why
        elif action.do is Do.CARRY:
            record = await self._records.cell(cell.name)
            # A reading that is made after the record was: what lies between is somebody else's, and is looked at again.
            reading = await self._cloud.get_worker_pool(cell.name)
            if record is not None and record.uid == reading.uid:
                self._writer.carry(replace(cell, worker_pool=reading), record, inhabited=False)
        elif self._budget.left(self._clock()) > 0:
            self._writer.close_cell(cell)
        else:
            self.told[cell.name] = "the writes of this minute are used up"

    async def _performed(self, name: str, steps: Steps) -> None:
        answer: Any = None
        while True:
            try:
                request = steps.send(answer)
            except StopIteration:
                return
            match request:
                case Look.RECORD:
                    answer = await self._records.cell(name)
                case Look.DOCUMENT:
                    answer = await self._document(name)
                case SetField() | Delete():
                    answer = await self._written(name, request)
                case Remove():
                    await self._removed(name, request.uid)
                    answer = None
                case _:  # pragma: no cover
                    assert_never(request)

    async def _document(self, name: str) -> Document | None:
        try:
            return await self._cloud.get_document(name)
        except NotFound:
            return None

    async def _written(self, name: str, request: SetField | Delete) -> bool:
        if self._budget.left(self._clock()) <= 0:
            self.told[name] = "the writes of this minute are used up"
            return False
        self._budget.use(self._clock())
        try:
            if isinstance(request, Delete):
                await self._cloud.delete_worker_pool(request.of.reading)
            else:
                await self._cloud.set_field(request.of, request.name, request.value)
        except Conflict:
            return False
        self._written_at[name] = generation_of(request.of.reading, before=self._written_at.get(name))
        if isinstance(self._task.wish, TemplateWish):
            self._task.wish.rotated.add(name)
        return True

    async def _removed(self, name: str, uid: str) -> None:
        gone = await self._records.remove(
            name, uid=uid, when=lambda it: may_be_forgotten(it, hold=self._task.hold)
        )
        if gone:
            await self._records.change_deployment(
                lambda it: replace(
                    it, requested={cell: count for cell, count in it.requested.items() if cell != name}
                )
            )

    async def _changed(self, name: str, transition: Callable[..., Outcome]) -> Outcome:
        _, document = self._cells[name]
        return await self._records.change(name, transition, uid=document.reading.uid)
