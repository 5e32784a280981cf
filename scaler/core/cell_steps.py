"""PURE: in which order a cell's record and count are looked at and written; the protocol's sequences, one generator each.

A generator yields what is to be done next and is sent its answer, so that whoever performs it can stop, die or be late
between any two steps. The gate is open before a raise is sent and closed before a lower is sent. Every write names the etag
of a reading made before the record was last looked at, so that a pause anywhere makes it fail instead of kill.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cell_records.record import (
    CellRecord,
    CellState,
    Gate,
    Outcome,
    Refusal,
    Refused,
    closed,
    count_found_at_zero,
    opened,
    zero_confirmed,
)
from cell_records.record import lowering as about_to_lower
from scaler.core.cell import Step, next_step, raise_target

# How often a write is derived again after somebody else was quicker, within one go.
ATTEMPTS = 4

# How soon a zero that Cloud Run could not carry out is written again.
ZERO_AGAIN_SECONDS = 20.0

# How long a cell rests whose writes were all refused as stale: four more each second would leave the other cells none.
STALE_SECONDS = 20.0
STALE = (
    f"its count could not be written: {ATTEMPTS} writes in a row were refused as stale, so something else changes this "
    "worker pool all the time; see its lastModifier"
)


class Reading(Protocol):
    """One reading of a worker pool, all of one moment."""

    @property
    def uid(self) -> str:
        """Of the worker pool; another one of the same name has another."""

    @property
    def count(self) -> int | None:
        """What was asked for; None when it is unknown."""

    @property
    def settled(self) -> bool:
        """Observed generation = generation, and not reconciling."""

    @property
    def failure(self) -> str | None:
        """Why the last change could not be carried out."""

    @property
    def manual(self) -> bool:
        """Whether nobody but its count's writer scales it."""


class Look(Enum):
    """What is read; the answer's type stands beside each."""

    WORKER_POOL = "the worker pool: a Reading"
    RECORD = "the cell's record, or None"
    REQUESTED = "how many instances the deployment's record asks for in this cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Change the cell's record by compare-and-set. Answer: the Outcome. `what` names the step for people."""

    what: str
    transition: Callable[[CellRecord], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCount:
    """Write the count with the etag of `reading`. Answer: whether it was taken; False when the etag was stale."""

    reading: Reading
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Follow the operation of the last write to its end, or for a while. Answer: None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveAlone:
    """Do nothing to this cell for so many seconds. Answer: None."""

    seconds: float
    why: str


Request = Look | Change | SetCount | FollowUp | LeaveAlone
Steps = Generator[Request, Any, None]


def raising(to: int, *, size: int, now: Callable[[], float], settle_seconds: float) -> Steps:
    """Open the cell if it is at zero, then ask for `to` instances."""
    outcome: Outcome = yield Change(
        what="open the gate", transition=lambda it: opened(it, now=now(), settle_seconds=settle_seconds)
    )
    if isinstance(outcome, Refused):
        return
    for _ in range(ATTEMPTS):
        reading: Reading = yield Look.WORKER_POOL
        target = raise_target(wanted=to, size=size, observed=reading.count or 0)
        if target is None or reading.count is None or not reading.manual:
            return
        if not reading.count and not _at_rest(reading):
            # A template may have been written whose answer was lost: it would replace the instances that are raised now. None
            # that is still on its way can arrive after the raise, whose etag is younger.
            return
        # Looked at after the reading: had the cell been closed and zeroed since, this etag would be stale.
        record: CellRecord | None = yield Look.RECORD
        if record is None or record.gate is not Gate.OPEN or record.uid != reading.uid:
            return
        # A successor may have found this request unmet, and have spent its room elsewhere.
        requested: int = yield Look.REQUESTED
        if requested < target:
            return
        taken: bool = yield SetCount(reading=reading, count=target)
        if taken:
            yield FollowUp()
            return
    yield LeaveAlone(seconds=STALE_SECONDS, why=STALE)


def _at_rest(reading: Reading) -> bool:
    """Whether nothing is under way in the worker pool, be it that its last change came true or failed."""
    return reading.settled or reading.failure is not None


def closing(*, uid: str, now: Callable[[], float]) -> Steps:
    """Close the gate if no lease stands, then set the count to zero. `uid`: of the worker pool that is meant."""
    outcome: Outcome = yield Change(what="close the gate", transition=closed)
    if not isinstance(outcome, Refused):
        yield from lowering(uid=uid, now=now)


def lowering(*, uid: str, now: Callable[[], float]) -> Steps:
    """Set the count of a closing cell to zero."""
    for _ in range(ATTEMPTS):
        reading: Reading = yield Look.WORKER_POOL
        if reading.uid != uid or (not reading.count and reading.failure is None):
            return
        # Changed after the reading: a cell that was zeroed, opened and raised meanwhile is no longer CLOSING, and one that
        # is opened from here on gets a new etag with its raise. And nobody may confirm an earlier zero any more.
        noted: Outcome = yield Change(
            what="note the lower", transition=lambda it: about_to_lower(it, now=now())
        )
        if isinstance(noted, Refused):
            return
        if not reading.count:
            # Where the template itself is broken this zero fails too; once in a while is enough then.
            yield LeaveAlone(
                seconds=ZERO_AGAIN_SECONDS, why=f"its zero was not carried out: {reading.failure}"
            )
        taken: bool = yield SetCount(reading=reading, count=0)
        if taken:
            return
    yield LeaveAlone(seconds=STALE_SECONDS, why=STALE)


def confirming(read: CellRecord, *, now: Callable[[], float]) -> Steps:
    """Note a zero, on a reading of this very worker pool: lists have been known to lag. `read`: the record before it."""
    reading: Reading = yield Look.WORKER_POOL
    if reading.uid != read.uid or reading.count is None:
        return
    count, settled = reading.count, reading.settled
    yield Change(
        what="confirm the zero",
        transition=only_as_read(read, lambda it: zero_confirmed(it, count=count, settled=settled, now=now())),
    )


def noting_a_raise(read: CellRecord) -> Steps:
    """Note that a cell at zero has instances: another hand raised it, or its zero failed. `read`: the record before it."""
    yield Change(what="note a foreign raise", transition=only_as_read(read, count_found_at_zero))


def carrying(
    record: CellRecord, reading: Reading, *, inhabited: bool, now: Callable[[], float]
) -> Steps | None:
    """What carries a closed cell on by one step, if anything does; every one of them reads again what it rests on.

    `inhabited`: whether instances ask for work there.
    """
    match _step(record, reading, inhabited=inhabited):
        case Step.NOTHING:
            return None
        case Step.LOWER:
            return lowering(uid=record.uid, now=now)
        case Step.CONFIRM_ZERO:
            return confirming(record, now=now)
        case Step.BACK_TO_CLOSING:
            return noting_a_raise(record)


def is_due(record: CellRecord, reading: Reading, *, fresh: bool) -> bool:
    """Whether a cell may have to be carried on now. `fresh`: `reading` was made after `record` was read.

    The end of a last lease may just have closed the cell: its zero waits for no reading of all worker pools.
    """
    return fresh or (record.state is CellState.CLOSING and bool(reading.count))


def lowers(record: CellRecord, reading: Reading) -> bool:
    """Whether `carrying` would write a zero."""
    return _step(record, reading, inhabited=False) is Step.LOWER


def _step(record: CellRecord, reading: Reading, *, inhabited: bool) -> Step:
    if reading.count is None:
        return Step.NOTHING
    failed = reading.failure is not None
    return next_step(
        record.state, count=reading.count, settled=reading.settled, failed=failed, inhabited=inhabited
    )


def only_as_read(
    read: CellRecord, transition: Callable[[CellRecord], Outcome]
) -> Callable[[CellRecord], Outcome]:
    """A transition that declines when the record is no longer the one that the reading followed."""
    return lambda it: transition(it) if it == read else Refused(reason=Refusal.NOT_SETTLED)
