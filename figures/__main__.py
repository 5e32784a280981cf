"""`python -m figures [--into DIR] [--page FILE]`: simulate, draw the figures, and write the tables into the page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from figures.by_cells import by_cells
from figures.by_policy import paid, waits
from figures.chosen import CELLS_TRACES, TRACES, WRITES, of_cells, of_policies
from figures.over_time import over_time
from figures.page import with_tables
from figures.runs import Run, Runs, Simulator
from figures.stopped import stopped
from figures.tables import TABLES
from simulator.assumptions import Assumptions
from simulator.bounds import matrix_bound
from simulator.faults import Faults
from simulator.floor import wait_floors
from simulator.generators import generated
from simulator.outcome import Outcome
from simulator.policies import simulate
from simulator.trace import Trace

INTO = Path("docs/explanation/figures")
PAGE = Path("docs/explanation/decision.md")
FIGURES = (
    *(f"{kind}_{trace}" for trace in TRACES for kind in ("over_time", "waits", "paid")),
    *(f"cells_{trace}" for trace in CELLS_TRACES),
    "stopped",
)


class RealSimulator:
    """The simulator itself."""

    def simulate(self, policy: str, trace: Trace, assumptions: Assumptions, faults: Faults) -> Outcome:
        """See `simulator.policies`."""
        return simulate(policy, trace, assumptions, faults)

    def generated(self, name: str, seed: int) -> Trace:
        """See `simulator.generators`."""
        return generated(name, seed)

    def wait_floors(self, trace: Trace, assumptions: Assumptions) -> Sequence[float]:
        """See `simulator.floor`."""
        return wait_floors(trace, assumptions)

    def matrix_bound(self, trace: Trace, assumptions: Assumptions) -> float:
        """See `simulator.bounds`."""
        return matrix_bound(trace, assumptions)


@click.command()
@click.option("--into", default=INTO, type=click.Path(path_type=Path, file_okay=False), show_default=True)
@click.option(
    "--page", default=PAGE, type=click.Path(path_type=Path, exists=True, dir_okay=False), show_default=True
)
def main(into: Path, page: Path) -> None:
    """Draw every figure into a folder, as SVG files, and write every table into its place in a page."""
    write(RealSimulator(), into=into, page=page)


def write(simulator: Simulator, *, into: Path, page: Path) -> None:
    """The whole of it. Each run is told on standard error with its CPU time."""
    into.mkdir(parents=True, exist_ok=True)
    runs = Runs(simulator, cpu_seconds=time.process_time, told=lambda line: click.echo(line, err=True))
    for name, drawn in figures(runs):
        (into / f"{name}.svg").write_bytes(drawn)
        click.echo(f"{into / name}.svg: {len(drawn) / 1000:.0f} kB")
    tables = {name: table.markdown(runs) for name, table in TABLES.items()}
    page.write_text(with_tables(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    click.echo(f"{page}: {len(tables)} tables")


def figures(runs: Runs) -> Iterator[tuple[str, bytes]]:
    """Each figure's name and its SVG file, one after the other: between them lie minutes of simulation."""
    by_trace = {}
    for trace in TRACES:
        outcomes = {policy: runs.outcome(run) for policy, run in of_policies(trace).items()}
        by_trace[trace] = outcomes
        yield f"over_time_{trace}", over_time(outcomes)
        yield f"waits_{trace}", waits(outcomes, floor=runs.floors(Run(trace=trace)))
        yield f"paid_{trace}", paid(outcomes)
    yield "stopped", stopped(by_trace)
    for trace in CELLS_TRACES:
        curves = {
            f"{writes} writes a minute": {
                cells: runs.outcome(run) for cells, run in of_cells(trace, writes=writes).items()
            }
            for writes in WRITES
        }
        yield f"cells_{trace}", by_cells(curves)


if __name__ == "__main__":
    main()
