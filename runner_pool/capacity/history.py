"""PURE: finished jobs as traces, one for each pool, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from github_api.values import Job, JobStatus
from scaler.core.demand import serving_pool
from scaler.core.model import PoolPolicy, QueuedJob
from simulator.trace import Trace, TraceJob

# The group that GitHub names for the runners that it hosts itself.
# https://docs.github.com/en/rest/actions/workflow-jobs
_HOSTED_GROUP = "github actions"


# GitHub may give no name; a trace file wants one.
_UNNAMED = "unnamed"


class LeftOut(Enum):
    """Why a job is in no trace, as the admin reads it."""

    NOT_ENDED = "had not ended"
    EARLIER = "were queued before the days asked for"
    NEVER_RAN = "never ran: skipped, or cancelled before a runner began"
    SHOWN_AGAIN = "did not run again: a re-run of other jobs shows them once more"
    HOSTED = "ran on runners that GitHub hosts, and no pool has their labels"
    PUBLIC = "belong to a public repository, and no pool that has their labels serves those"
    NO_POOL = "ask for labels that no pool has"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job as GitHub lists it, and where: `repository` is `owner/name`."""

    repository: str
    public: bool
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was found between `since` and `until` (seconds since the epoch); every trace begins at `since`.

    `unread`: what GitHub did not show, in sentences.
    """

    since: float
    until: float
    traces: Mapping[str, Trace]
    left_out: Mapping[LeftOut, int]
    unread: Sequence[str] = ()

    @property
    def trace(self) -> Trace:
        """The jobs of all pools."""
        return _in_order(job for trace in self.traces.values() for job in trace)

    @property
    def jobs(self) -> int:
        """How many jobs the traces hold."""
        return sum(len(trace) for trace in self.traces.values())


def history_of(
    finished: Iterable[FinishedJob],
    pools: Sequence[PoolPolicy],
    *,
    since: float,
    until: float,
    unread: Sequence[str] = (),
) -> History:
    """Sort jobs into the traces of the pools that would serve them now, whatever ran them then.

    A job was queued when it was created, and worked from its start to its end. What it waited then is not in the trace:
    that is for the simulation to say.
    """
    traces: dict[str, list[TraceJob]] = {pool.name: [] for pool in pools}
    left_out: Counter[LeftOut] = Counter()
    seen: set[tuple[str, int]] = set()
    for each in finished:
        if (each.repository, each.job.id) in seen:
            continue
        seen.add((each.repository, each.job.id))
        placed = _placed(each, pools, since=since)
        if isinstance(placed, LeftOut):
            left_out[placed] += 1
        else:
            traces[placed.name].append(_trace_job(each, since=since))
    return History(
        since=since,
        until=until,
        traces={pool: _in_order(jobs) for pool, jobs in traces.items()},
        left_out={reason: left_out[reason] for reason in LeftOut if left_out[reason]},
        unread=tuple(unread),
    )


def _placed(each: FinishedJob, pools: Sequence[PoolPolicy], *, since: float) -> PoolPolicy | LeftOut:
    job = each.job
    if job.status is not JobStatus.COMPLETED or job.started_at is None or job.completed_at is None:
        return LeftOut.NOT_ENDED
    if job.created_at < since:
        return LeftOut.EARLIER
    if job.runner_id is None:
        # GitHub fills in `started_at` for these too, so only the missing runner tells.
        return LeftOut.NEVER_RAN
    if job.started_at < job.created_at:
        # https://github.com/newrelic-experimental/gha-new-relic-exporter/issues/38
        return LeftOut.SHOWN_AGAIN
    pool = _pool_for(each, pools, public=each.public)
    if pool is not None:
        return pool
    if (job.runner_group_name or "").lower() == _HOSTED_GROUP:
        return LeftOut.HOSTED
    if each.public and _pool_for(each, pools, public=False) is not None:
        return LeftOut.PUBLIC
    return LeftOut.NO_POOL


def _pool_for(each: FinishedJob, pools: Sequence[PoolPolicy], *, public: bool) -> PoolPolicy | None:
    job = each.job
    as_queued = QueuedJob(
        id=job.id,
        repository=each.repository,
        labels=job.labels,
        queued_at=job.created_at,
        public=public,
    )
    return serving_pool(as_queued, pools)


def _trace_job(each: FinishedJob, *, since: float) -> TraceJob:
    job = each.job
    assert job.started_at is not None
    assert job.completed_at is not None
    return TraceJob(
        queued_at=job.created_at - since,
        duration=max(0.0, job.completed_at - job.started_at),
        labels=job.labels,
        repository=each.repository,
        workflow=job.workflow_name or _UNNAMED,
        job=job.name,
    )


def _in_order(jobs: Iterable[TraceJob]) -> Trace:
    return tuple(sorted(jobs, key=lambda job: (job.queued_at, job.repository, job.job)))
