"""PURE: which queued jobs are demand, and of which pool."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from scaler.core.model import DemandSeen, LeaseSeen, LeaseState, PoolPolicy, QueuedJob, Taken

# GitHub's lists show a job as queued for 25 to 60 s after a runner has started it; a reading begun later than
# this is to be believed.
LISTS_LAG_SECONDS = 90.0


def serving_pool(job: QueuedJob, pools: Iterable[PoolPolicy]) -> PoolPolicy | None:
    """The pool that a job belongs to: all its labels are the pool's, the pool with the fewest others wins,
    then priority.

    A job without labels is nobody's: `runs-on: {group: …}` does not show its group before assignment.
    """
    if not job.labels:
        return None
    fitting = [
        pool for pool in pools if job.labels <= pool.labels and (pool.public_repositories or not job.public)
    ]
    return min(fitting, key=lambda pool: (len(pool.labels), -pool.priority, pool.name), default=None)


def started_jobs(
    demand: DemandSeen, leases: Iterable[LeaseSeen], taken: Iterable[Taken] = ()
) -> frozenset[int]:
    """Ids of the jobs that are known to run, or to have been begun by a lease that is over."""
    known = {lease.job_id for lease in leases if lease.job_id is not None}
    known.update(each.job_id for each in taken if each.job_id is not None)
    for reading in demand.repositories.values():
        known.update(reading.running.values())
    return frozenset(known)


def queued_by_pool(
    pools: Iterable[PoolPolicy], demand: DemandSeen, started: Collection[int]
) -> Mapping[str, tuple[QueuedJob, ...]]:
    """The queued jobs of each pool, oldest first; each job once, none that has `started`."""
    pools = tuple(pools)
    jobs: dict[str, dict[int, QueuedJob]] = {pool.name: {} for pool in pools}
    for reading in demand.repositories.values():
        for job in reading.queued:
            pool = serving_pool(job, pools)
            if pool is not None and job.id not in started:
                jobs[pool.name][job.id] = job
    return {
        pool: tuple(sorted(each.values(), key=lambda job: (job.queued_at, job.id)))
        for pool, each in jobs.items()
    }


def covers_a_queued_job(lease: LeaseSeen, *, read_at: float) -> bool:
    """Whether a lease will take, or has taken unseen, one of the jobs that a reading begun at `read_at` shows
    as queued.
    """
    if lease.job_id is not None:
        return False
    match lease.state:
        case LeaseState.STARTING | LeaseState.LISTENING | LeaseState.UNKNOWN:
            return True
        case LeaseState.RUNNING | LeaseState.COMPLETED:
            return read_at < lease.since + LISTS_LAG_SECONDS
        case LeaseState.DYING | LeaseState.SILENT:
            return False
