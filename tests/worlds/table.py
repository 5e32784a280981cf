"""The totals as Markdown, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.many.life import LEAST_FAULTS, LEAST_LOWERS, STEPS_OF_CLOSING
from simulator.many.worlds import LEAST_JOBS
from tests.worlds.totals import Totals

PAGE_HEAD = """# Many worlds

`make simulate-many` lives through ten thousand small deployments in virtual time, each drawn from its seed: the real decision,
the real sequences on cells and records, the real lifecycle of the agent, with models of Cloud Run and GitHub below them. What is
judged after every event stands in [the protocol explained](../explanation/protocol.md#ten-thousand-worlds).

This page is written by the command; the numbers are those of its last whole run.

```console
$ make simulate-many
$ .venv/bin/python -m tests.worlds --worlds 300 --first-seed 50000      # others
$ .venv/bin/python -m tests.worlds --seed 4711                          # one world, its whole story
```
"""

OTHERS = "The same jobs and delays, and of the faults those that a scaler without records can meet (`simulator/plain_pool.py`).\n"
CRASHES = (
    "First the steps of closing: at each at least {} scalers must have been killed. Then all other steps.\n"
)


def page(totals: Totals, *, seconds: float, cpu_seconds: float) -> str:
    """The page of a run."""
    return f"{PAGE_HEAD}\n{report(totals, seconds=seconds, cpu_seconds=cpu_seconds)}"


def report(totals: Totals, *, seconds: float, cpu_seconds: float) -> str:
    """What came of it, as tables."""
    lost = sum(totals.lost.values())
    first = _table(
        ("", "cells"),
        [
            (
                f"worlds with ≥ {LEAST_JOBS} jobs, ≥ {LEAST_FAULTS} faults, ≥ {LEAST_LOWERS} lowering writes",
                totals.worlds,
            ),
            ("seeds passed over, because their worlds had fewer", totals.replaced),
            ("last seed", totals.last_seed),
            ("jobs", totals.jobs),
            ("done", totals.done),
            ("lost, each with its cause", lost),
            *((f"… to {cause}", number) for cause, number in sorted(totals.lost.items())),
            ("**stopped by the scaler**", f"**{totals.stopped_by_us}**"),
            ("worlds in which a promise was broken", len(totals.broken)),
            ("leases", totals.leases),
            ("writes of a count", totals.writes),
            ("lowering writes", totals.lowers),
            ("wall time", f"{seconds:.0f} s"),
            ("CPU time", f"{cpu_seconds:.0f} s"),
        ],
    )
    others = _table(("in the same worlds", "jobs stopped by its own scale-in"), sorted(totals.others.items()))
    faults = _table(("fault", "struck"), sorted(totals.faults.items()))
    crashes = _table(
        ("a scaler was killed", "times"),
        [(step, totals.crashes[step]) for step in STEPS_OF_CLOSING]
        + sorted((step, times) for step, times in totals.crashes.items() if step not in STEPS_OF_CLOSING),
    )
    return "\n".join(
        (
            "## Totals\n",
            first,
            "## Other scalers\n",
            OTHERS,
            others,
            "## Faults\n",
            faults,
            "## Crashes\n",
            CRASHES.format(totals.wanted_crashes),
            crashes,
        )
    )


def _table(head: tuple[str, str], rows: Iterable[tuple[str, int | str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---:|"]
    lines += [f"| {name} | {value if isinstance(value, str) else f'{value:,}'} |" for name, value in rows]
    return "\n".join(lines) + "\n"
