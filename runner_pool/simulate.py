"""`runner-pool simulate`: reads the jobs, lets policies work through them in virtual time, and prints what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import click
from rich.console import Console
from rich.table import Table

from runner_pool.simulate_scene import Scene, scene_of, work_of
from runner_pool.simulate_wishes import Wishes, check
from simulator.advice import Simulate
from simulator.assumptions import Assumptions
from simulator.bounds import matrix_bound
from simulator.faults import NO_FAULTS, Faults
from simulator.fitting import assumed_of_floor, labels_told
from simulator.floor import wait_floors
from simulator.outcome import Outcome
from simulator.policies import POOL, simulate
from simulator.prices import MACHINE, WORKER_POOL
from simulator.report import HEAD, Told, document, left_out_document, row, sentences, together
from simulator.trace import Trace

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
    work, left_out = work_of(wishes, env)
    _warn_of(left_out)
    found = advise(work, question, silent=wishes.as_json)
    if wishes.as_json:
        click.echo(json.dumps({"left_out": left_out_document(left_out), "advice": advice_documents(found)}))
    return 0


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
