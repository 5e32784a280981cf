"""PURE: how many cells, of which sizes, and how many warm instances cost least when waiting has a price too.

Knows no policy: what a choice would have led to is for the `simulate` of the caller to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import cycle, islice, product

from simulator.assumptions import Assumptions
from simulator.outcome import Outcome
from simulator.prices import Machine, Price, cost, cost_of_waiting, dollars
from simulator.trace import Trace

Simulate = Callable[[Trace, Assumptions, Sequence[int]], Outcome]
"""What would have happened with cells of these sizes; `max_cells` and `warm` of the assumptions are those of the choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How sizes are spread over cells: `pattern` again and again until every cell has one."""

    name: str
    pattern: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(map(str, self.pattern))})"


# From the exact bill of single instances to the few writes of large cells.
MIXES = (
    Mix(name="single", pattern=(1,)),
    Mix(name="small", pattern=(1, 1, 2, 4)),
    Mix(name="even", pattern=(8,)),
    Mix(name="large", pattern=(4, 8, 16)),
)
CELLS = (10, 20, 40, 60, 120)
WARM = (0, 1, 2, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an admin can choose."""

    cells: int
    mix: Mix
    warm: int

    def sizes(self, *, most: int) -> tuple[int, ...]:
        """The size of each cell, the smallest first; none is larger than `most`, the pool's largest number of instances."""
        return tuple(sorted(min(size, most) for size in islice(cycle(self.mix.pattern), self.cells)))

    def __str__(self) -> str:
        return f"{self.cells} cells, {self.mix}, warm {self.warm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The choices to try: every one of each."""

    cells: Sequence[int] = CELLS
    mixes: Sequence[Mix] = MIXES
    warm: Sequence[int] = WARM

    def choices(self) -> tuple[Choice, ...]:
        """All of them, in a fixed order."""
        return tuple(
            Choice(cells=cells, mix=mix, warm=warm)
            for cells, mix, warm in product(self.cells, self.mixes, self.warm)
        )


GRID = Grid()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a choice would have cost: US dollars, and seconds. `unfinished`: jobs that did not end by themselves."""

    choice: Choice
    instance_seconds: float
    waited_seconds: float
    wait_p50: float
    wait_p95: float
    unfinished: int
    instances_usd: Decimal
    waiting_usd: Decimal

    @property
    def total_usd(self) -> Decimal:
        """Instances and waiting."""
        return self.instances_usd + self.waiting_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`rows` are the choices that were tried, the best first; `why` is one sentence about the first."""

    rows: Sequence[Row]
    why: str
    machine: Machine
    price: Price
    waiting_usd_per_hour: Decimal

    @property
    def recommended(self) -> Row:
        """The best row."""
        return self.rows[0]


def advice(
    trace: Trace,
    assumptions: Assumptions,
    simulate: Simulate,
    *,
    machine: Machine,
    price: Price,
    waiting_usd_per_hour: Decimal,
    grid: Grid = GRID,
    every_choice: bool = True,
) -> Advice:
    """The choice whose instances and waiting cost least together; the same for the same arguments, always.

    `every_choice`: simulate the whole grid. Without it, one of the three is varied at a time until nothing gets cheaper: a
    quarter of the simulations, and not certain to find the best. A choice with which a job would not have ended by itself
    loses against every other. Of two that cost the same the one with fewer cells wins, then fewer warm instances.
    """
    tried: dict[Choice, Row] = {}

    def row(choice: Choice) -> Row:
        if choice not in tried:
            chosen = replace(assumptions, max_cells=choice.cells, warm=choice.warm)
            outcome = simulate(trace, chosen, choice.sizes(most=assumptions.max_runners))
            tried[choice] = _row(choice, outcome, machine, price, waiting_usd_per_hour)
        return tried[choice]

    if every_choice:
        for choice in grid.choices():
            row(choice)
    else:
        _vary_one_at_a_time(grid, row)
    order = {choice: number for number, choice in enumerate(grid.choices())}
    rows = sorted(tried.values(), key=lambda each: (*_rank(each), order[each.choice]))
    return Advice(
        rows=tuple(rows),
        why=_why(rows),
        machine=machine,
        price=price,
        waiting_usd_per_hour=waiting_usd_per_hour,
    )


def _row(choice: Choice, outcome: Outcome, machine: Machine, price: Price, usd_per_hour: Decimal) -> Row:
    waited = sum(outcome.waits)
    return Row(
        choice=choice,
        instance_seconds=outcome.paid,
        waited_seconds=waited,
        wait_p50=outcome.wait(0.50),
        wait_p95=outcome.wait(0.95),
        unfinished=outcome.jobs - outcome.completed,
        instances_usd=cost(outcome.paid, machine, price),
        waiting_usd=cost_of_waiting(waited, usd_per_hour),
    )


def _vary_one_at_a_time(grid: Grid, row: Callable[[Choice], Row]) -> None:
    """Begin in the middle of the grid, without warm instances, and go where it is cheaper."""
    best = row(
        Choice(
            cells=grid.cells[len(grid.cells) // 2], mix=grid.mixes[len(grid.mixes) // 2], warm=grid.warm[0]
        )
    )
    while True:
        before = best
        best = _best(row(replace(best.choice, mix=mix)) for mix in grid.mixes)
        best = _best(row(replace(best.choice, cells=cells)) for cells in grid.cells)
        best = _best(row(replace(best.choice, warm=warm)) for warm in grid.warm)
        if best.choice == before.choice:
            return


def _best(rows: Iterable[Row]) -> Row:
    return min(rows, key=_rank)


def _rank(row: Row) -> tuple[int, Decimal, int, int]:
    return row.unfinished, row.total_usd, row.choice.cells, row.choice.warm


def _why(rows: Sequence[Row]) -> str:
    best = rows[0]
    told = (
        f"{best.choice} cost least: {dollars(best.total_usd)}, of which {dollars(best.instances_usd)} are for instances "
        f"and {dollars(best.waiting_usd)} for waiting"
    )
    if best.unfinished:
        return f"With every choice that was tried jobs did not end; {best.choice} left the fewest: {best.unfinished}."
    return f"{told}{_beside(best, rows[1])}." if len(rows) > 1 else f"{told}."


def _beside(best: Row, second: Row) -> str:
    """How the next best differs, as the end of a sentence."""
    name = f"; the next best, {second.choice},"
    if second.unfinished:
        return f"{name} would have left {second.unfinished} jobs undone"
    paid, waited = second.instances_usd - best.instances_usd, second.waiting_usd - best.waiting_usd
    if paid + waited == 0:
        return f"{name} cost the same"
    more = f"{name} cost {dollars(paid + waited)} more"
    if paid > 0 > waited:
        return f"{more}: it saved {dollars(-waited)} of waiting for {dollars(paid)} of instances"
    if waited > 0 > paid:
        return f"{more}: it saved {dollars(-paid)} of instances for {dollars(waited)} of waiting"
    return more
