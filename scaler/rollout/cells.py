"""PURE: the cells that a verb is about, as one look has found them, and in which order they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cell_records.holds import hold_in, is_own, may_have
from cell_records.record import CellRecord, CellState
from scaler.cloud_run.wire import Document
from scaler.rollout.template import Wish

ROLLOUT = "rollout"
"""The hold of a changed template."""


class Goal(Enum):
    """What becomes of each cell at its zero."""

    CHANGE = "its worker pool is changed, and it is released"
    STAY = "it stays at zero"
    DELETE = "its worker pool is deleted"
    RELEASE = "it is released wherever it stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One verb's work. `hold`: its text in the records; `at_once`: most cells it holds at a time; `canary`: try one cell first.

    `take_over`: whether cells that an older command with the same verb and another wish holds are taken too.
    `settle_seconds`: how long a cell rests after its zero before it can serve again.
    """

    hold: str
    goal: Goal
    at_once: int
    wish: Wish | None = None
    take_over: bool = False
    canary: bool = False
    settle_seconds: float = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNow:
    """One cell. `record`: read before `document`; None when there is none. `document`: None when its worker pool is gone.

    `fault`: why it cannot be changed at all. `written`: from which generation on a reading shows what Cloud Run has made of a
    write of this verb that it took; None while there is none. `met_at`: at which generation this verb has last seen it as wished.
    """

    name: str
    record: CellRecord | None
    document: Document | None
    fault: str | None = None
    written: int | None = None
    met_at: int | None = None


class Stage(Enum):
    """How far a cell is."""

    DONE = "as wished, and not held"
    CHANGING = "held by this verb"
    FRESH = "not begun"
    LEFT = "not to be touched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cell with how far it is; `why`: of one that is left; `rival`: whether for another hand that makes other changes.

    `unclaimed`: it may be had, but its hold is not yet that of this verb.

    `unkept`: what is not as wished in a held cell though Cloud Run took the write and rests: no further one would change it.
    """

    cell: CellNow
    stage: Stage
    met: bool = False
    unkept: tuple[str, ...] = ()
    why: str = ""
    rival: bool = False
    unclaimed: bool = False


def standing(task: Task, cell: CellNow) -> Standing:
    """How far one cell is, by what stands in Cloud Run and in the records."""
    why = _left(task, cell)
    if why is not None:
        return Standing(cell=cell, stage=Stage.LEFT, why=why)
    record = cell.record
    hold = "" if record is None else record.hold
    differences = None
    if task.wish is not None and cell.document is not None:
        differences = task.wish.differences(cell.name, cell.document.data)
    met = differences == ()
    rival = _rival(task, cell, met=met)
    if rival is not None:
        return Standing(cell=cell, stage=Stage.LEFT, why=rival, rival=True)
    match task.goal:
        case Goal.RELEASE:
            done = not hold
        case Goal.DELETE:
            done = record is None and cell.document is None
        case Goal.STAY:
            done = record is not None and bool(hold) and record.state is CellState.ZERO
        case Goal.CHANGE:
            done = met and not hold
    stage = Stage.DONE if done else Stage.CHANGING if hold else Stage.FRESH
    unkept = differences or () if stage is Stage.CHANGING and _is_judged(cell) else ()
    unclaimed = task.wish is not None and bool(hold) and not is_own(task.hold, hold)
    return Standing(cell=cell, stage=stage, met=met, unkept=unkept, unclaimed=unclaimed)


def _rival(task: Task, cell: CellNow, *, met: bool) -> str | None:
    """What shows that another hand changes the same cells to something else: two would undo each other's work for ever."""
    hold = "" if cell.record is None else cell.record.hold
    if not may_have(task.hold, hold, take_over=task.take_over):
        other = hold_in(hold)
        return f"it is held by another {other.verb} ({other.wish}, since {other.moment})"
    if met or cell.met_at is None or cell.document is None:
        return None
    since = cell.document.reading.generation > cell.met_at
    return "it was as wished, and another hand has changed it since" if since else None


def _is_judged(cell: CellNow) -> bool:
    """Whether Cloud Run has had its say on a write of this verb."""
    if cell.written is None or cell.document is None:
        return False
    return cell.document.reading.rests and cell.document.reading.generation >= cell.written


def _left(task: Task, cell: CellNow) -> str | None:
    if cell.fault is not None:
        return cell.fault
    record, document = cell.record, cell.document
    if record is not None and record.hold and hold_in(record.hold).verb != hold_in(task.hold).verb:
        return f"it is held for {record.hold}: end that first"
    if document is None:
        return None
    if record is None:
        zero = document.reading.count == 0 and document.reading.settled
        return (
            None if zero or task.goal is Goal.RELEASE else "it has no record, and it is not at a settled zero"
        )
    if record.uid != document.reading.uid:
        return (
            "its record belongs to a worker pool that was deleted; the scaler renews it at its settled zero"
        )
    return None


def busy(cell: CellNow) -> bool:
    """Whether jobs may run in it."""
    return cell.record is not None and bool(cell.record.leases)


def is_open(cell: CellNow) -> bool:
    """Whether taking it costs the pool capacity: it is emptied then, and has to rest."""
    return cell.record is not None and cell.record.state is CellState.OPEN


def rests_until(cell: CellNow, *, settle_seconds: float) -> float:
    """When a cell at zero may open again; 0 of one that is not at zero."""
    if cell.record is None or cell.record.state is not CellState.ZERO:
        return 0.0
    return cell.record.zeroed_at + settle_seconds


def order(cell: CellNow) -> tuple[int, int, float, str]:
    """Those at zero first, the longest rested before all, since it can serve at once; then those that are being emptied, then
    idle ones, busy ones last: capacity is kept that way.
    """
    if cell.record is None:
        # Its first record may have to rest.
        return 0, 0, float("inf"), cell.name
    states = (CellState.ZERO, CellState.CLOSING, CellState.OPEN)
    return (
        len(cell.record.leases),
        states.index(cell.record.state),
        rests_until(cell, settle_seconds=0.0),
        cell.name,
    )
