"""The table of golden outcomes: what the planner did with fixed seeds when somebody last looked at it.

`python -m tests.simulation.golden` writes `golden_outcomes.txt` anew; its diff is for the reviewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simulator.assumptions import Assumptions
from simulator.generators import generated
from simulator.policies import simulate
from simulator.trace import Trace

TABLE = Path(__file__).with_name("golden_outcomes.txt")
REFRESH = "python -m tests.simulation.golden"

_HEAD = ("trace", "seed", "writes", "lowering", "registrations", "cells", "peak", "paid/ideal")


def drawn() -> str:
    """The table as the code that is here makes it."""
    rows = [_HEAD, *_rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(each.rjust(width) for each, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(lines) + "\n"


def _rows() -> Iterator[tuple[str, ...]]:
    for name in ("team", "trickle", "matrix-burst"):
        for seed in (1, 2):
            outcome = simulate("cells", _trace(name, seed), Assumptions(seed=seed))
            numbers = (
                seed,
                outcome.writes,
                outcome.lowering_writes,
                outcome.registrations,
                outcome.cells,
                outcome.peak_instances,
            )
            yield (name, *map(str, numbers), f"{outcome.paid / outcome.ideal:.2f}")


def _trace(name: str, seed: int) -> Trace:
    """A named trace; of the matrix the first burst, of the days the first twelve hours."""
    if name == "matrix-burst":
        return [job for job in generated("matrix", seed) if not job.queued_at]
    return [job for job in generated(name, seed) if job.queued_at < 12 * 3600.0]


if __name__ == "__main__":
    TABLE.write_text(drawn(), encoding="utf-8")
