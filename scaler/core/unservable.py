"""PURE: jobs that GitHub gives to none of our runners although their labels fit: no access to the runner
group, say.

A job that is still queued in a reading begun well after both it and a listening lease began was passed over
by that lease. Two such leases for one repository and label set, and its jobs are no demand for a while; then
one more lease is tried. A job of the kind that is seen running shows that the kind is servable, so a single
ghost listener condemns nothing. Several kinds at once, and no job on any runner of the pool: then the runner's
version may be what is wrong. Such a runner registers and listens, and gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scaler.core.demand import LISTS_LAG_SECONDS
from scaler.core.model import (
    CellSeen,
    DemandSeen,
    LeaseSeen,
    LeaseState,
    Limit,
    PassedOver,
    QueuedJob,
    Reason,
)

# How many leases must have listened in vain.
LEASES_IN_VAIN = 2

# How long the jobs are left out before another lease is spent on them.
BACK_OFF_SECONDS = 900.0

# A kind is recognised as servable by any of its last jobs; more of them need not be remembered.
JOBS_KEPT = 256

Kind = tuple[str, frozenset[str]]


def kind_of(job: QueuedJob) -> Kind:
    """Jobs of one kind are given to the same runners: those of one repository with the same labels."""
    return job.repository, job.labels


def passed_over(
    queued: Mapping[str, Sequence[QueuedJob]],
    cells: Iterable[CellSeen],
    demand: DemandSeen,
    before: Mapping[Kind, PassedOver],
    *,
    now: float,
) -> dict[Kind, PassedOver]:
    """What is known of kinds that wait, or are left out, after one more look. `queued`: jobs by pool."""
    cells = tuple(cells)
    started = {job for reading in demand.repositories.values() for job in reading.running.values()}
    found = {kind: known for kind, known in before.items() if known.until > now}
    for pool, jobs in queued.items():
        if not jobs:
            continue
        waiting = [lease for cell in cells if cell.pool == pool for lease in cell.leases if _waits(lease)]
        idle = sorted(waiting, key=lambda lease: (lease.since, lease.id))
        for job in jobs:
            kind = kind_of(job)
            known = found.get(kind) or before.get(kind) or PassedOver()
            if known.jobs & started:
                known = PassedOver(after=now)
            read_at = demand.repositories[job.repository].at
            found[kind] = _with_look(known, job, idle, read_at=read_at, now=now)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What of a pool's queue is no demand for now; `until`: when the first of it is tried again."""

    limits: tuple[Limit, ...] = ()
    until: float = float("inf")


def without_unservable(
    pool: str,
    jobs: Sequence[QueuedJob],
    cells: Iterable[CellSeen],
    passed: Mapping[Kind, PassedOver],
    *,
    now: float,
) -> tuple[tuple[QueuedJob, ...], LeftOut]:
    """The jobs that are demand, the oldest first, and what is to be said of the others.

    Of a kind that is tried again one job is demand, until one of its jobs has run; where nothing shows that the pool
    can serve any kind at all, one job altogether.
    """
    condemned = {kind for kind in map(kind_of, jobs) if passed[kind].until > 0.0}
    doubted = len(condemned) > 1 and not _serves(pool, cells, since=_condemned_at(condemned, passed))
    demand: list[QueuedJob] = []
    tried: set[Kind] = set()
    left_out: dict[Kind, int] = {}
    for job in jobs:
        kind = kind_of(job)
        full = bool(demand) if doubted else kind in tried
        if passed[kind].until > now or full:
            left_out[kind] = left_out.get(kind, 0) + 1
        else:
            demand.append(job)
            tried |= {kind} & condemned
    reason = Reason.UNSERVABLE_KINDS if doubted else Reason.UNSERVABLE
    limits = tuple(
        Limit(pool=pool, reason=reason, short=count, detail=f"{repository} [{', '.join(sorted(labels))}]")
        for (repository, labels), count in sorted(
            left_out.items(), key=lambda each: (each[0][0], sorted(each[0][1]))
        )
    )
    waits = [passed[kind].until for kind in left_out if passed[kind].until > now]
    return tuple(demand), LeftOut(limits=limits, until=min(waits, default=float("inf")))


def _condemned_at(kinds: Iterable[Kind], passed: Mapping[Kind, PassedOver]) -> float:
    return min((passed[kind].until - BACK_OFF_SECONDS for kind in kinds), default=0.0)


def _serves(pool: str, cells: Iterable[CellSeen], *, since: float) -> bool:
    """Whether a runner of the pool has a job now, or one that came since then has had one."""
    ours = [cell for cell in cells if cell.pool == pool]
    return any(cell.served_at >= since or any(lease.had_job for lease in cell.leases) for cell in ours)


def _with_look(
    known: PassedOver, job: QueuedJob, idle: Iterable[LeaseSeen], *, read_at: float, now: float
) -> PassedOver:
    in_vain = [
        lease.id
        for lease in idle
        if lease.id not in known.leases
        and lease.since > known.after
        and read_at >= max(lease.since, job.queued_at) + LISTS_LAG_SECONDS
    ]
    jobs = known.jobs if len(known.jobs) >= JOBS_KEPT else known.jobs | {job.id}
    leases = (*known.leases, *in_vain)[-LEASES_IN_VAIN:]
    left_out = bool(in_vain) and len(leases) == LEASES_IN_VAIN and now >= known.until
    until = now + BACK_OFF_SECONDS if left_out else known.until
    return replace(known, leases=leases, jobs=jobs, until=until)


def _waits(lease: LeaseSeen) -> bool:
    return lease.state is LeaseState.LISTENING and lease.job_id is None
