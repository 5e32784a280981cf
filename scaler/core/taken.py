"""PURE: jobs that leases have begun and that GitHub's lists still call queued, also when job and lease are over.

Such a job is nobody's demand, or a lease would be spent on it that listens in vain. Where a reading has told which job it
is, just that one is left out. Else the lease covers one job that was queued before it began, until a reading no longer
shows a job that was queued, and at the most for as long as lists lag. So a job that is queued later is never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scaler.core.demand import LISTS_LAG_SECONDS
from scaler.core.model import CellSeen, DemandSeen, LeaseSeen, LeaseState, QueuedJob, Taken

# By how much GitHub's clock, which says when a job was queued, may be ahead of ours, which says when it began.
CLOCKS_DIFFER_SECONDS = 5.0

# Such a lease covers no job by itself any more.
_ON_THE_WAY_OUT = (LeaseState.DYING, LeaseState.SILENT)


def taken_by_leases(
    before: Mapping[str, Taken], cells: Iterable[CellSeen], demand: DemandSeen, *, now: float
) -> dict[str, Taken]:
    """By lease, what standing ones have begun and those that are gone had begun so lately that lists may not show it."""
    cells = tuple(cells)
    # Only for those of which it is unknown is it looked up.
    running: dict[int, int] = {}
    if any(lease.had_job and lease.job_id is None for cell in cells for lease in cell.leases) or any(
        known.job_id is None for known in before.values()
    ):
        for _, reading in sorted(demand.repositories.items()):
            running.update(reading.running)
    found = {lease: _with_job(known, running) for lease, known in before.items() if _matters(known, now)}
    for cell in cells:
        for lease in cell.leases:
            known = before.get(lease.id)
            if known is None and lease.job_id is not None and now >= lease.since + LISTS_LAG_SECONDS:
                continue  # of most of a thousand there is nothing to remember any more
            if lease.had_job or known is not None:
                taken = _with_job(_of_lease(lease, cell.pool, known, now=now), running)
                # While it stands it would be noted anew at the next look, with less than is known of it now.
                if _matters(taken, now) or lease.job_id is None or now < lease.since + LISTS_LAG_SECONDS:
                    found[lease.id] = taken
    return found


def seen_to_leave(
    taken: Mapping[str, Taken],
    before: Mapping[str, frozenset[int]],
    queued: Mapping[str, Sequence[QueuedJob]],
    started: Iterable[int],
) -> dict[str, Taken]:
    """`taken`, after readings that show fewer queued jobs than `before` did (ids by pool): each that is not shown any more,
    and of which nothing else is known, is the job of one lease, the first to have begun.
    """
    after = dict(taken)
    started = frozenset(started)
    for pool, ids in before.items():
        left = len(ids - started - {job.id for job in queued.get(pool, ())})
        for lease in _unaccounted(after, pool)[:left]:
            after[lease] = replace(after[lease], left_queue=True)
    return after


def shown_beside(
    taken: Mapping[str, Taken], queued: Mapping[str, Sequence[QueuedJob]]
) -> dict[str, frozenset[int]]:
    """What `seen_to_leave` needs the next time: ids of queued jobs of the pools whose leases have begun unknown ones."""
    return {
        pool: frozenset(job.id for job in jobs) for pool, jobs in queued.items() if _unaccounted(taken, pool)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """How many of a pool's queued jobs have been begun by leases that are over; `until`: when the first of these covers ends."""

    jobs: int = 0
    until: float = float("inf")


def covered_by_gone(
    taken: Mapping[str, Taken],
    cells: Iterable[CellSeen],
    pool: str,
    queued: Sequence[QueuedJob],
    *,
    now: float,
) -> Covered:
    """`queued`: the oldest first. A lease that stands covers its job itself (`demand.covers_a_queued_job`)."""
    standing = {lease.id for cell in cells for lease in cell.leases if lease.state not in _ON_THE_WAY_OUT}
    begun = sorted(
        taken[lease].at
        for lease in _unaccounted(taken, pool)
        if lease not in standing and _matters(taken[lease], now)
    )
    used: list[float] = []
    for at in begun:
        if len(used) < len(queued) and queued[len(used)].queued_at <= at + CLOCKS_DIFFER_SECONDS:
            used.append(at)
    return Covered(jobs=len(used), until=min(used, default=float("inf")) + LISTS_LAG_SECONDS)


def _matters(taken: Taken, now: float) -> bool:
    """A moment to come is one of a clock that was set back since."""
    return taken.at <= now < taken.at + LISTS_LAG_SECONDS


def _of_lease(lease: LeaseSeen, pool: str, known: Taken | None, *, now: float) -> Taken:
    if known is None:
        return Taken(pool=pool, at=min(lease.since, now), runner_id=lease.runner_id, job_id=lease.job_id)
    runner_id = known.runner_id if lease.runner_id is None else lease.runner_id
    job_id = known.job_id if lease.job_id is None else lease.job_id
    at = min(known.at, now)
    if (at, runner_id, job_id) == (known.at, known.runner_id, known.job_id):
        return known  # a thousand stand, and hardly one has anything new
    return replace(known, at=at, runner_id=runner_id, job_id=job_id)


def _with_job(taken: Taken, running: Mapping[int, int]) -> Taken:
    if taken.job_id is not None or taken.runner_id is None or taken.runner_id not in running:
        return taken
    return replace(taken, job_id=running[taken.runner_id])


def _unaccounted(taken: Mapping[str, Taken], pool: str) -> list[str]:
    """Leases of a pool whose job may still be shown as queued, nobody knows which; the first to have begun first."""
    return sorted(
        (
            lease
            for lease, each in taken.items()
            if each.pool == pool and each.job_id is None and not each.left_queue
        ),
        key=lambda lease: (taken[lease].at, lease),
    )
