"""PURE: the policies by name, and one run of any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from scaler.core.model import Policy
from simulator.assumptions import Assumptions
from simulator.cells.layout import SPARE
from simulator.cells.world import BEGINS_AT, CellsWorld
from simulator.errors import UnknownPolicy
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome
from simulator.plain_pool import simulate_plain
from simulator.trace import Trace

POOL = "pool"
"""The one pool of a simulation without a configuration."""

POLICIES: Mapping[str, str] = {
    "cells": "this project: cells, lowered only to zero and only when no lease stands",
    "one-per-cell": "the same with cells of one instance, as many as max_runners asks for, whatever --max-cells says",
    "quiescent": "one worker pool, lowered only when every runner is idle",
    "crema": "Google's autoscaler CREMA with KEDA's github-runner trigger and its defaults, polling every 30 s",
    "google-sample": "the autoscaler of Google's github-runner sample: +1 for each webhook, zero when a repository is quiet",
}


def simulate(
    policy: str,
    trace: Trace,
    assumptions: Assumptions,
    faults: Faults = NO_FAULTS,
    *,
    pools: Policy | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    begins_at: float = BEGINS_AT,
) -> Outcome:
    """One policy over one trace. `pools` and `sizes` (of the cells of each pool) matter to cells only.

    `begins_at`: the moment of the trace's beginning, seconds since the epoch, for the schedules of `pools`. Raises
    UnknownPolicy.
    """
    run = _RUNS.get(policy)
    if run is None:
        raise UnknownPolicy(policy, known=POLICIES)
    return run(trace, assumptions, faults, _Deployment(pools=pools, sizes=sizes, begins_at=begins_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """What only cells ask for."""

    pools: Policy | None
    sizes: Mapping[str, Sequence[int]] | None
    begins_at: float


def _cells(trace: Trace, assumptions: Assumptions, faults: Faults, deployed: _Deployment) -> Outcome:
    return CellsWorld(
        trace,
        assumptions,
        faults,
        policy=deployed.pools,
        sizes=deployed.sizes,
        begins_at=deployed.begins_at,
    ).run()


def _one_per_cell(trace: Trace, assumptions: Assumptions, faults: Faults, deployed: _Deployment) -> Outcome:
    pools = deployed.pools
    most = {POOL: assumptions.max_runners} if pools is None else {pool.name: pool.max for pool in pools.pools}
    sizes = {pool: (1,) * ceil(number * (1 + SPARE)) for pool, number in most.items()}
    return CellsWorld(
        trace,
        assumptions,
        faults,
        policy=pools,
        sizes=sizes,
        name="one-per-cell",
        begins_at=deployed.begins_at,
    ).run()


def _plain(policy: str) -> _Run:
    def run(trace: Trace, assumptions: Assumptions, faults: Faults, _: _Deployment) -> Outcome:
        return simulate_plain(policy, trace, assumptions, faults)

    return run


_Run = Callable[[Trace, Assumptions, Faults, _Deployment], Outcome]

_RUNS: Mapping[str, _Run] = {
    "cells": _cells,
    "one-per-cell": _one_per_cell,
    **{each: _plain(each) for each in ("quiescent", "crema", "google-sample")},
}
