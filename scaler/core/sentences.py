"""PURE: what a decision does and leaves, each in a sentence with its numbers, for people who do not know the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scaler.core.model import (
    CellSeen,
    Close,
    Decision,
    Grant,
    Keep,
    Limit,
    PoolPicture,
    Raise,
    Reason,
    Seen,
)

_TO_ITS_END = "what runs goes on to its end"
_BY_ITSELF = "it goes on by itself"

# What is said of each limit; `missing` and `jobs` are the two ways to begin.
_LEFT: Mapping[Reason, str] = {
    Reason.AT_POOL_MAX: "{missing}: it is at its max {max}{detail}",
    Reason.SCHEDULE_ALLOWS_NONE: "{missing}: its max is 0 now{detail}; " + _TO_ITS_END,
    Reason.POOL_PAUSED: "{missing}: it is paused in the configuration; " + _TO_ITS_END,
    Reason.DEPLOYMENT_PAUSED: "{missing}: the whole deployment is paused in the configuration; "
    + _TO_ITS_END,
    Reason.AT_DEPLOYMENT_MAX: "{missing}: all pools together are at max_instances; pools of higher priority go first, "
    "then the oldest job",
    Reason.CAPACITY_LEARNT: "{missing}: {words}",
    Reason.NO_CAPACITY: "{missing}: Cloud Run does not start what it was asked for{detail}; see the quotas of the region",
    Reason.NO_FREE_CELL: "{missing}: each of its cells is full, closing, cooling or at fault{detail}; more or larger cells "
    "would help",
    Reason.NO_WRITES_LEFT: "{missing}: the Cloud Run writes of this minute are used up; " + _BY_ITSELF,
    Reason.WRITES_PACED: "{missing}: few Cloud Run writes of this minute are left and are handed out one after another; "
    + _BY_ITSELF,
    Reason.NO_REGISTRATIONS_LEFT: "{jobs}: GitHub's registrations of this minute are used up; " + _BY_ITSELF,
    Reason.UNSERVABLE: "{jobs}{detail}: {reason}",
    Reason.UNSERVABLE_KINDS: "{jobs}{detail}: {reason}",
    Reason.RUNNER_TOO_OLD: "{jobs}: {reason}{detail}",
    Reason.RUNNER_FAILS: "{jobs}: {reason}{detail}",
    Reason.REGISTRATION_REFUSED: "{jobs}: {reason}{detail}",
    Reason.CELLS_HELD: "{missing}: cells of it are held for a change{detail}, and all others are full, closing or cooling; "
    + _BY_ITSELF,
    Reason.DEMAND_UNKNOWN: "pool {pool} closes nothing: GitHub's queue has not been read completely",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that is done or left: `verb` is grant, raise, close, keep or leave; `where` a cell or a pool."""

    verb: str
    where: str
    how_many: int
    why: str
    sentence: str


def sentences(seen: Seen, decision: Decision) -> tuple[Told, ...]:
    """All of a decision, in the order in which it is carried out; then what is kept and left."""
    cells = {cell.name: cell for cell in seen.cells}
    pools = {picture.pool: picture for picture in decision.pools}
    return (
        *(_grant(grant, cells[grant.cell], pools[cells[grant.cell].pool]) for grant in decision.grants),
        *(_raise(rise, cells[rise.cell], pools[cells[rise.cell].pool], seen) for rise in decision.raises),
        *(_close(close, cells[close.cell], pools[cells[close.cell].pool]) for close in decision.closes),
        *(_keep(keep, cells[keep.cell], pools[cells[keep.cell].pool], seen) for keep in decision.kept),
        *(_leave(limit, pools) for limit in decision.limits),
    )


def _grant(grant: Grant, cell: CellSeen, pool: PoolPicture) -> Told:
    return Told(
        verb="grant",
        where=grant.cell,
        how_many=grant.leases,
        why=grant.reason.value,
        sentence=f"offer {_count(grant.leases, 'lease')} in cell {grant.cell}: {_count(cell.parked, 'instance')} "
        f"{_are(cell.parked)} parked there, and {_queue(pool)}",
    )


def _raise(rise: Raise, cell: CellSeen, pool: PoolPicture, seen: Seen) -> Told:
    match rise.reason:
        case Reason.KEEP_MIN:
            why = f"the pool keeps a min of {pool.min}, and {pool.requested} stand"
        case Reason.KEEP_WARM:
            why = (
                f"the pool keeps {_count(pool.warm, 'warm instance')} on top of the busy ones: "
                f"{pool.leased} busy, {pool.requested} stand"
            )
        case _:
            why = _queue(pool)
            parts = [
                (pool.queued - pool.uncovered, "by runners that are starting or listening"),
                (pool.parked + pool.booting, "by parked and starting instances"),
            ]
            covered = " and ".join(f"{number} {words}" for number, words in parts if number > 0)
            if covered:
                why = f"{why}; covered so far: {covered}"
    if rise.packed:
        left = f"{_count(seen.writes_left, 'write')} {_are(seen.writes_left)} left this minute"
        why = f"{why}; {left}, so fewer cells get more each"
    if rise.reason in (Reason.KEEP_MIN, Reason.KEEP_WARM) and pool.schedule:
        why = f"{why} (schedule {pool.schedule})"
    return Told(
        verb="raise",
        where=rise.cell,
        how_many=rise.to,
        why=rise.reason.value,
        sentence=f"raise cell {rise.cell} from {cell.counted} to {rise.to}: {why}",
    )


def _close(close: Close, cell: CellSeen, pool: PoolPicture) -> Told:
    if close.reason is Reason.COUNT_FAILED:
        why = (
            f"Cloud Run did not start its {_count(cell.counted, 'instance')} ({cell.failed}), and no job runs in it; "
            "it can be tried again once it is at zero"
        )
    elif close.reason is Reason.CELL_HELD:
        why = (
            f"it is held for {cell.set_aside}, and none of its {_count(cell.counted, 'instance')} runs a job"
        )
    else:
        why = (
            f"none of its {_count(cell.counted, 'instance')} runs a job, the pool needs {pool.wanted} and has "
            f"{pool.requested}; two readings agree, and its linger is over"
        )
    return Told(
        verb="close",
        where=close.cell,
        how_many=0,
        why=close.reason.value,
        sentence=f"close cell {close.cell}: {why}",
    )


def _keep(keep: Keep, cell: CellSeen, pool: PoolPicture, seen: Seen) -> Told:
    busy = len(cell.leases)
    more = f"the pool needs {pool.wanted} and has {pool.requested}, but"
    match keep.reason:
        case Reason.RUNS_JOBS:
            why = f"{busy} of its {_count(cell.counted, 'instance')} still {'runs' if busy == 1 else 'run'} a job"
        case Reason.HELD_RUNS_JOBS:
            jobs = _count(busy + cell.offered, "job")
            why = f"it is held for {cell.set_aside}, gets no new job, and waits for the {jobs} in it"
        case Reason.LINGERS:
            why = f"{more} its linger has {_seconds(keep.until - seen.at)} to go"
        case Reason.DEMAND_UNKNOWN:
            why = f"{more} GitHub's queue has not been read completely"
        case Reason.AWAITS_READING:
            why = f"{more} a second reading of GitHub's queue has to agree first"
        case _:
            left = max(0, seen.shrink_writes_left)
            why = f"{more} {_count(left, 'write')} {_are(left)} left this minute, and growth and cells that save more go first"
    return Told(
        verb="keep",
        where=keep.cell,
        how_many=cell.counted,
        why=keep.reason.value,
        sentence=f"keep cell {keep.cell} open: {why}",
    )


def _leave(limit: Limit, pools: Mapping[str, PoolPicture]) -> Told:
    return Told(
        verb="leave",
        where=limit.pool,
        how_many=limit.short,
        why=limit.sentence,
        sentence=_left(limit, pools.get(limit.pool)),
    )


def _left(limit: Limit, pool: PoolPicture | None) -> str:
    name = limit.pool
    return _LEFT.get(limit.reason, "{missing}: {reason}{detail}").format(
        missing=f"pool {name} stays {_count(limit.short, 'instance')} short",
        jobs=f"leave {_count(limit.short, 'job')} of pool {name} waiting",
        pool=name,
        max="unknown" if pool is None else pool.max,
        reason=limit.reason.value,
        words=limit.detail,
        detail=limit.detail and f" ({limit.detail})",
    )


def _queue(pool: PoolPicture) -> str:
    """`9 jobs are queued, the oldest for 35 s`."""
    if pool.oldest_queued_seconds is None:
        return "no job is queued"
    age = _seconds(pool.oldest_queued_seconds)
    if pool.queued == 1:
        return f"1 job is queued, for {age} now"
    return f"{pool.queued} jobs are queued, the oldest for {age}"


def _seconds(seconds: float) -> str:
    if seconds < 100.0:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000.0 else f"{seconds / 3600:.1f} h"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
