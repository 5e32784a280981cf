"""Reads what a simulation is about: the jobs, and the deployment that the options and the scaler's configuration describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner_pool.errors import UsageError
from runner_pool.simulate_wishes import MONDAY, Wishes, sizes_of
from scaler.core.model import Policy
from simulator.assumptions import Assumptions
from simulator.cells.world import BEGINS_AT
from simulator.fitting import cells_of, check_spans, fitting
from simulator.generators import generated
from simulator.policies import POOL
from simulator.report import assumed
from simulator.trace import Trace
from simulator.trace_file import read_trace

if TYPE_CHECKING:
    from runner_pool.capacity.advising import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What all policies are given. `pools` None: one pool serves every job. `left_out`: jobs that fit no pool, by labels."""

    trace: Trace
    assumptions: Assumptions
    pools: Policy | None = None
    sizes: Mapping[str, Sequence[int]] | None = None
    begins_at: float = BEGINS_AT
    left_out: Mapping[frozenset[str], int]

    def assumed(self, wishes: Wishes) -> Mapping[str, object]:
        """Everything that the results hang on, for the document."""
        warm = self.assumptions.warm
        return {
            **assumed(self.assumptions, list_lag_s=wishes.list_lag_s or 0.0),
            "warm": warm if self.pools is None else {pool.name: pool.warm for pool in self.pools.pools},
            "trace": None if wishes.trace is None else str(wishes.trace),
            "generator": wishes.generator,
            "trace_seed": None if wishes.generator is None else _trace_seed(wishes),
            "config": None if wishes.config_path is None else str(wishes.config_path),
            "begins": None if self.pools is None else _iso(self.begins_at),
        }


def scene_of(wishes: Wishes, env: Mapping[str, str]) -> Scene:
    """The jobs, the deployment and the assumptions of a comparison. Raises as `run` does."""
    trace = _jobs(wishes)
    if wishes.config_path is None:
        assumptions = wishes.assumptions(Assumptions())
        given = sizes_of(wishes, None)
        return Scene(
            trace=trace,
            assumptions=_with_cells(assumptions, given),
            sizes=given or None,
            left_out={},
        )
    # The scaler's configuration knows Google's clients; who gives none need not wait for them.
    from scaler.assembly import policy_of
    from scaler.config import load_config

    config = load_config(wishes.config_path, env)
    assumptions = wishes.assumptions(
        Assumptions(
            max_runners=config.max_instances,
            writes_per_minute=config.cloud_run.writes_per_minute,
            registrations_per_minute=config.github.registrations_per_minute,
        )
    )
    # Instances of direct mode are not modelled; leases decide the same.
    pools = replace(policy_of(config), max_instances=assumptions.max_runners, direct=False)
    if assumptions.max_cells < len(pools.pools):
        raise UsageError(
            f"--max-cells {assumptions.max_cells} is less than a cell for each of {len(pools.pools)} pools",
            remedy="raise --max-cells",
        )
    given = sizes_of(wishes, pools)
    found = fitting(trace, pools.pools)
    return Scene(
        trace=found.trace,
        assumptions=_with_cells(assumptions, given),
        pools=pools,
        sizes=given or cells_of(pools, assumptions),
        begins_at=MONDAY if wishes.begins is None else wishes.begins,
        left_out=found.left_out,
    )


def work_of(
    wishes: Wishes, env: Mapping[str, str]
) -> tuple[Mapping[str, Work], Mapping[frozenset[str], int]]:
    """The jobs of each pool for an advice, and how many fit none, by labels. Raises as `run` does."""
    from runner_pool.capacity.advising import Work

    trace = _jobs(wishes)
    if wishes.config_path is None:
        return {POOL: Work(trace=trace, assumptions=wishes.assumptions(Assumptions()))}, {}
    from runner_pool.capacity.study import assumptions_of
    from scaler.assembly import policy_of
    from scaler.config import load_config

    config = load_config(wishes.config_path, env)
    found = fitting(trace, policy_of(config).pools)
    work = {
        pool.name: Work(
            trace=found.traces[pool.name], assumptions=wishes.assumptions(assumptions_of(config, pool))
        )
        for pool in config.pools
    }
    return work, found.left_out


def _jobs(wishes: Wishes) -> Trace:
    if wishes.trace is not None:
        trace = read_trace(wishes.trace)
        check_spans(trace)
        return trace
    assert wishes.generator is not None
    trace = generated(wishes.generator, _trace_seed(wishes))
    if wishes.save is not None:
        from runner_pool.capacity.saving import save_trace

        save_trace(trace, wishes.save)
    return trace


def _trace_seed(wishes: Wishes) -> int:
    return 1 if wishes.trace_seed is None else wishes.trace_seed


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _with_cells(assumptions: Assumptions, given: Mapping[str, Sequence[int]]) -> Assumptions:
    """Where the cells are named, there are as many as that."""
    return replace(assumptions, max_cells=sum(map(len, given.values()))) if given else assumptions
