"""`runner-pool simulate`: reads the jobs, lets policies work through them in virtual time, and prints what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from runner_pool.errors import UsageError
from runner_pool.simulate_wishes import MONDAY, Wishes, check, sizes_of
from scaler.core.model import Policy
from simulator.advice import Simulate
from simulator.assumptions import Assumptions
from simulator.bounds import matrix_bound
from simulator.cells.world import BEGINS_AT
from simulator.faults import NO_FAULTS, Faults
from simulator.fitting import assumed_of_floor, cells_of, check_spans, fitting, labels_told
from simulator.floor import wait_floors
from simulator.generators import generated
from simulator.outcome import Outcome
from simulator.policies import POOL, simulate
from simulator.prices import MACHINE, WORKER_POOL
from simulator.report import HEAD, Told, assumed, document, left_out_document, row, sentences, together
from simulator.trace import Trace
from simulator.trace_file import read_trace

if TYPE_CHECKING:
    from runner_pool.capacity.advising import Work

# A table of twelve columns; who pipes the text elsewhere gets it unbroken.
_WIDTH = 160

Progress = Callable[[str], None]


def run(wishes: Wishes, env: Mapping[str, str]) -> int:
    """Do what was asked and print it. Gives the exit code.

    Raises UsageError and UnknownPolicy for the options, ScalerError for the configuration, TraceUnusable and
    UnknownGenerator for the jobs, HistoryError for what GitHub shows.
    """
    check(wishes)
    if wishes.advice:
        return _advise(wishes, env)
    scene = scene_of(wishes, env)
    _warn_of(scene.left_out)
    told = [_told(policy, scene, wishes) for policy in wishes.policy_names()]
    if wishes.as_json:
        documents = [document(each) for each in told]
        click.echo(
            json.dumps(
                together(documents, scene.assumed(wishes), scene.left_out, least=_least(wishes, scene))
            )
        )
    else:
        _print_table(told, least=_least(wishes, scene))
    return 0


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


def cells_simulated(faults: Faults, told: Progress) -> Simulate:
    """What `simulator.advice` wants to know: one pool of cells of these sizes, and every job of the trace its own."""
    number = 0

    def simulated(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
        nonlocal number
        number += 1
        told(f"choice {number}: {len(sizes)} cells, warm {assumptions.warm}, {len(trace)} jobs")
        return simulate("cells", trace, assumptions, faults, sizes={POOL: sizes})

    return simulated


def progress(line: str) -> None:
    """Tell who watches; a file or a pipe gets the result alone."""
    if sys.stderr.isatty():
        click.echo(line, err=True)


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


def _told(policy: str, scene: Scene, wishes: Wishes) -> Told:
    progress(f"{policy}: {len(scene.trace)} jobs")
    outcome = simulate(
        policy,
        scene.trace,
        scene.assumptions,
        _faults(wishes),
        pools=scene.pools,
        sizes=scene.sizes,
        begins_at=scene.begins_at,
    )
    of_floor = scene.assumptions if scene.pools is None else assumed_of_floor(scene.pools, scene.assumptions)
    machine = wishes.machine
    return Told(
        outcome=outcome,
        floors=wait_floors(scene.trace, of_floor),
        machine=machine,
        price=None if machine is None else WORKER_POOL,
    )


def _advise(wishes: Wishes, env: Mapping[str, str]) -> int:
    from runner_pool.capacity.advising import WAITING_USD_PER_HOUR, Question, advise
    from runner_pool.capacity.documents import advice_documents
    from runner_pool.capacity.study import study

    price = wishes.price_of_waiting
    question = Question(
        simulate=cells_simulated(_faults(wishes), progress),
        machine=wishes.machine or MACHINE,
        waiting_usd_per_hour=WAITING_USD_PER_HOUR if price is None else Decimal(str(price)),
    )
    if wishes.history is not None:
        assert wishes.config_path is not None
        return study(
            wishes.config_path,
            env,
            days=wishes.history,
            question=question,
            save=wishes.save,
            adjusted=wishes.assumptions,
            as_json=wishes.as_json,
        )
    work, left_out = _work(wishes, env)
    _warn_of(left_out)
    found = advise(work, question, silent=wishes.as_json)
    if wishes.as_json:
        click.echo(json.dumps({"left_out": left_out_document(left_out), "advice": advice_documents(found)}))
    return 0


def _work(wishes: Wishes, env: Mapping[str, str]) -> tuple[Mapping[str, Work], Mapping[frozenset[str], int]]:
    """The jobs of each pool, and those of none."""
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


def _faults(wishes: Wishes) -> Faults:
    return Faults(list_lag=wishes.list_lag_s) if wishes.list_lag_s else NO_FAULTS


def _warn_of(left_out: Mapping[frozenset[str], int]) -> None:
    if left_out:
        click.echo(
            f"jobs that fit no pool and are left out: {sum(left_out.values())}; by labels: {labels_told(left_out)}",
            err=True,
        )


def _least(wishes: Wishes, scene: Scene) -> float | None:
    """The least paid over ideal: worth its time for the bursts of that generator, and far too low for other shapes."""
    return (
        matrix_bound(scene.trace, scene.assumptions)
        if wishes.generator == "matrix" and not scene.pools
        else None
    )


def _print_table(told: Sequence[Told], *, least: float | None) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(HEAD):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for each in told:
        table.add_row(*row(each))
    console.print(table)
    sys.stdout.write("".join(f"{line}\n" for line in ("", *sentences(told, least=least))))
