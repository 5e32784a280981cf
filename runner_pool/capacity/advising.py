"""Advises on each pool and tells each advice as soon as it is found; the simulation is an argument."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runner_pool.capacity.report import advice_lines
from simulator.advice import GRID, Advice, Grid, Simulate, advice
from simulator.assumptions import Assumptions
from simulator.prices import MACHINE, WORKER_POOL, Machine
from simulator.trace import Trace

# An assumption of ours, to be replaced by the admin's own. It is less than a person's hour, since not every job has
# somebody who waits for it.
WAITING_USD_PER_HOUR = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The jobs of a pool, and what is assumed of the world in which it serves them."""

    trace: Trace
    assumptions: Assumptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be weighed. `every_choice` as in `simulator.advice`."""

    simulate: Simulate
    machine: Machine = MACHINE
    waiting_usd_per_hour: Decimal = WAITING_USD_PER_HOUR
    grid: Grid = GRID
    every_choice: bool = False


def advise(work: Mapping[str, Work], question: Question, *, silent: bool) -> Mapping[str, Advice]:
    """The advice for each pool that has jobs; printed as lines unless `silent`."""
    found = {}
    for pool, each in work.items():
        if each.trace:
            found[pool] = advice(
                each.trace,
                each.assumptions,
                question.simulate,
                machine=question.machine,
                price=WORKER_POOL,
                waiting_usd_per_hour=question.waiting_usd_per_hour,
                grid=question.grid,
                every_choice=question.every_choice,
            )
            if not silent:
                sys.stdout.write("\n".join(["", *advice_lines(pool, found[pool])]) + "\n")
    return found
