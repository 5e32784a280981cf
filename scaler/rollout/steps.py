"""PURE: the two writes that a held cell waits for, in the order in which each looks at what it rests on.

The record is read first: at zero, and held, so that nobody opens the cell from then on. Then the worker pool: its count must be
0, and the write names the etag of that reading. So a write that arrives late, or from a process that stood still, is refused as
soon as any count was written after the reading; and no instance that it could replace has a lease.

A closing cell whose zero Cloud Run could not carry out is as good: its gate is closed, so it has no lease either. Its template
may be what is broken, and then no zero is ever noted in it: only another template, or its end, leads out.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cell_records.holds import is_own
from cell_records.record import CellRecord, CellState, Gate
from scaler.cloud_run.wire import Document, WorkerPool
from scaler.rollout.canary import broken
from scaler.rollout.template import Wish


class Look(Enum):
    """What is read; the answer's type stands beside each."""

    RECORD = "the cell's record, or None"
    DOCUMENT = "the worker pool, or None where there is none: a Document"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField:
    """Write a field of the worker pool with the etag of `of`. Answer: whether it was taken; False when the etag was stale."""

    of: Document
    name: str
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete the worker pool with the etag of `of`. Answer: as that of SetField."""

    of: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove the record of the deleted worker pool `uid`. Answer: None."""

    uid: str


Request = Look | SetField | Delete | Remove
Steps = Generator[Request, Any, None]


def changing(cell: str, *, hold: str, wish: Wish, written: int | None = None) -> Steps:
    """Write what is wished into a cell that is held at its zero, or at a zero that has failed.

    `written`: the generation of a write that was taken; a reading of it that is not as wished will not be by another write.
    """
    found = yield from _without_leases(hold)
    if found is None or (written is not None and found.reading.generation >= written):
        return
    if wish.differences(cell, found.data):
        yield SetField(of=found, name=wish.field, value=wish.value(cell, found.data))


def deleting(*, hold: str) -> Steps:
    """Delete the worker pool of a cell that is held at its zero, or at a zero that has failed."""
    found = yield from _without_leases(hold)
    if found is not None:
        yield Delete(of=found)


def forgetting(*, hold: str) -> Steps:
    """Remove the record of a held cell, once Cloud Run, asked for its worker pool alone, says that there is none."""
    record: CellRecord | None = yield Look.RECORD
    found: Document | None = yield Look.DOCUMENT
    gone = found is None or found.reading.deleted
    if record is not None and may_be_forgotten(record, hold=hold) and gone:
        yield Remove(uid=record.uid)


def may_be_forgotten(record: CellRecord, *, hold: str) -> bool:
    """A lease that stands still has to end; a witness ends it in the record."""
    return record.hold == hold and not record.leases


def zero_failed(reading: WorkerPool) -> bool:
    """Whether Cloud Run was asked for zero, has nothing more under way, and could not carry out the whole of it."""
    return reading.count == 0 and reading.rests and broken(reading) is not None


def _without_leases(hold: str) -> Generator[Request, Any, Document | None]:
    record: CellRecord | None = yield Look.RECORD
    if record is None or record.gate is not Gate.CLOSED or not is_own(hold, record.hold):
        return None
    found: Document | None = yield Look.DOCUMENT
    if found is None or found.reading.uid != record.uid:
        return None
    at_zero = found.reading.count == 0 and found.reading.rests
    if record.state is CellState.ZERO:
        return found if at_zero else None
    return found if zero_failed(found.reading) else None
