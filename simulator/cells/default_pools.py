"""PURE: the pools and cells of a simulated deployment, when nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scaler.core.model import Policy, PoolPolicy
from simulator.assumptions import Assumptions
from simulator.cells.layout import default_sizes
from simulator.cells.sight import CellPlan
from simulator.cells.times import Times
from simulator.trace import Trace


def one_pool(trace: Trace, assumptions: Assumptions, times: Times) -> Policy:
    """A single pool that serves every job of the trace."""
    labels = frozenset(label for job in trace for label in job.labels) or frozenset({"self-hosted"})
    pool = PoolPolicy(
        name="pool",
        labels=labels,
        max=assumptions.max_runners,
        warm=assumptions.warm,
        idle_lease_seconds=times.idle_lease,
    )
    return Policy(
        pools=(pool,),
        max_instances=assumptions.max_runners,
        settle_seconds=times.settle,
        suspect_seconds=times.suspect,
    )


def cells_of(
    policy: Policy, sizes: Mapping[str, Sequence[int]] | None, assumptions: Assumptions
) -> list[CellPlan]:
    """The cells of every pool. `sizes`: by the pool's name; without them the default ones."""
    given = sizes or {
        pool.name: default_sizes(pool.max, assumptions.max_cells // len(policy.pools))
        for pool in policy.pools
    }
    return [
        CellPlan(name=f"{pool}-{number:03}", pool=pool, size=size)
        for pool, each in given.items()
        for number, size in enumerate(each, start=1)
    ]
