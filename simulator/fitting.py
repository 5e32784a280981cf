"""PURE: which jobs of a trace a simulation can serve, and the deployment that a configuration's pools make for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scaler.core.demand import serving_pool
from scaler.core.model import Policy, PoolPolicy, QueuedJob
from simulator.assumptions import Assumptions
from simulator.cells.layout import default_sizes
from simulator.errors import TraceUnusable
from simulator.trace import Trace, TraceJob

_DAY = 86_400.0
# Virtual time is sampled each minute, so its length is computing time and memory.
MOST_DAYS = 400
# What GitHub allows a job on a self-hosted runner: https://docs.github.com/en/actions/reference/limits
MOST_DAYS_OF_A_JOB = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """`traces`: the jobs of each pool. `left_out`: how many jobs fit no pool, by their labels, the most frequent first."""

    traces: Mapping[str, Trace]
    left_out: Mapping[frozenset[str], int]

    @property
    def trace(self) -> Trace:
        """The jobs of all pools. Jobs of one moment stand in the order of pools."""
        jobs = [job for trace in self.traces.values() for job in trace]
        return tuple(sorted(jobs, key=lambda job: job.queued_at))


def fitting(trace: Trace, pools: Sequence[PoolPolicy]) -> Fitting:
    """Part the jobs by the pool that would serve each, as the scaler does. Raises TraceUnusable when none fits."""
    traces: dict[str, list[TraceJob]] = {pool.name: [] for pool in pools}
    left_out: Counter[frozenset[str]] = Counter()
    for number, job in enumerate(trace):
        queued = QueuedJob(
            id=number, repository=job.repository, labels=job.labels, queued_at=job.queued_at, public=False
        )
        pool = serving_pool(queued, pools)
        if pool is None:
            left_out[job.labels] += 1
        else:
            traces[pool.name].append(job)
    if not any(traces.values()):
        raise TraceUnusable(
            "no job of the trace fits a pool of the configuration",
            cause=f"the jobs ask for {labels_told(left_out)}",
            remedy="compare the labels of jobs and pools, or leave --config away: then one pool serves every job",
        )
    return Fitting(traces=traces, left_out=dict(left_out.most_common()))


def labels_told(left_out: Mapping[frozenset[str], int], *, most: int = 5) -> str:
    """The labels of jobs that fit no pool, with their numbers, as the end of a sentence."""
    told = [f"{';'.join(sorted(labels))} ({number})" for labels, number in list(left_out.items())[:most]]
    return ", ".join(told) + (f" and {len(left_out) - most} other sets" if len(left_out) > most else "")


def check_spans(trace: Trace) -> None:
    """Refuse a trace whose simulation would not end in useful time. Raises TraceUnusable."""
    last = max((job.queued_at for job in trace), default=0.0)
    if last > MOST_DAYS * _DAY:
        raise TraceUnusable(
            f"the trace is {last / _DAY:.0f} days long; a simulation takes {MOST_DAYS} at most",
            cause="queued_at_s counts seconds from the beginning of the trace, not from 1970 and not in milliseconds",
            remedy="let the first job be queued near 0, or cut the trace in pieces",
        )
    longest = max((job.duration for job in trace), default=0.0)
    if longest > MOST_DAYS_OF_A_JOB * _DAY:
        raise TraceUnusable(
            f"a job of the trace takes {longest / _DAY:.1f} days",
            cause=f"GitHub allows a job on a self-hosted runner {MOST_DAYS_OF_A_JOB} days; duration_s counts seconds",
            remedy="correct duration_s",
        )


def cells_of(policy: Policy, assumptions: Assumptions) -> Mapping[str, Sequence[int]]:
    """The sizes of each pool's cells: `max_cells` shared evenly, each share enough for the pool's greatest max and a fifth.

    Wants a cell for each pool at least.
    """
    share = assumptions.max_cells // len(policy.pools)
    return {
        pool.name: default_sizes(max(1, min(greatest_max(pool), policy.max_instances)), share)
        for pool in policy.pools
    }


def greatest_max(pool: PoolPolicy) -> int:
    """The largest max that the pool has at any time of its schedule."""
    return max([pool.max, *(entry.max for entry in pool.schedule if entry.max is not None)])


def assumed_of_floor(policy: Policy, assumptions: Assumptions) -> Assumptions:
    """What the all-knowing scaler of `simulator.floor` may use of several pools: as if any instance could serve any job.

    Every pool has its greatest max and keeps the most idle instances that its schedule ever asks for. So the floor stays
    one, and is lower than what pools apart can reach.
    """
    return replace(
        assumptions,
        max_runners=min(policy.max_instances, sum(greatest_max(pool) for pool in policy.pools)),
        warm=sum(_most_idle(pool) for pool in policy.pools),
    )


def _most_idle(pool: PoolPolicy) -> int:
    """Of an idle pool min and warm are kept, whichever is more."""
    kept = [pool.min, pool.warm]
    for entry in pool.schedule:
        kept += [entry.min or 0, entry.warm or 0]
    return max(kept)
