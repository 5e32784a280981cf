"""`python -m figures [--into DIR]`: simulate every policy on the named traces and draw what came of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from figures.by_cells import by_cells
from figures.by_policy import paid, waits
from figures.over_time import over_time
from simulator.assumptions import Assumptions
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome
from simulator.trace import Trace

POLICIES = ("cells", "crema", "google-sample", "quiescent", "one-per-cell")
TRACES = ("team", "matrix", "company")
# Each of them stands in one figure beside the others; the company's day is too long for lines that can be told apart.
OVER_TIME = ("team", "matrix")
CELLS_TRACE = "company"
NUMBERS_OF_CELLS = (40, 60, 120, 300)
WRITES_PER_MINUTE = (30, 180)
SEED = 1
INTO = Path("docs/explanation/figures")

Simulate = Callable[[str, Trace, Assumptions, Faults], Outcome]


@click.command()
@click.option("--into", default=INTO, type=click.Path(path_type=Path, file_okay=False), show_default=True)
def main(into: Path) -> None:
    """Draw every figure into a folder, as SVG files."""
    into.mkdir(parents=True, exist_ok=True)
    for name, drawn in figures(
        simulate=_named("simulator.policies", "simulate"),
        generated=_named("simulator.generators", "generated"),
        wait_floors=_named("simulator.floor", "wait_floors"),
    ):
        (into / f"{name}.svg").write_bytes(drawn)
        click.echo(f"{into / name}.svg: {len(drawn) / 1000:.0f} kB")


def figures(
    *,
    simulate: Simulate,
    generated: Callable[[str, int], Trace],
    wait_floors: Callable[[Trace, Assumptions], Sequence[float]],
) -> Iterator[tuple[str, bytes]]:
    """Each figure's name and its SVG file, one after the other: between them lie minutes of simulation."""
    assumptions = Assumptions(seed=SEED)
    for name in TRACES:
        trace = generated(name, SEED)
        outcomes = {policy: simulate(policy, trace, assumptions, NO_FAULTS) for policy in POLICIES}
        if name in OVER_TIME:
            yield f"over_time_{name}", over_time(outcomes)
        yield f"waits_{name}", waits(outcomes, floor=wait_floors(trace, assumptions))
        yield f"paid_{name}", paid(outcomes)
    yield f"cells_{CELLS_TRACE}", by_cells(_curves(simulate, generated(CELLS_TRACE, SEED)))


def _curves(simulate: Simulate, trace: Trace) -> Mapping[str, Mapping[int, Outcome]]:
    return {
        f"{writes} writes a minute": {
            cells: simulate(
                "cells", trace, Assumptions(seed=SEED, max_cells=cells, writes_per_minute=writes), NO_FAULTS
            )
            for cells in NUMBERS_OF_CELLS
        }
        for writes in WRITES_PER_MINUTE
    }


def _named(module: str, name: str) -> Any:
    # Whoever imports this package only to draw needs no simulator of everything.
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
