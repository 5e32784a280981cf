"""PURE: which runs the figures and tables are of.

Together they must stay within some minutes of one core. The company's day with cells takes most of that, so it has one
other seed and the others two.
"""

from __future__ import annotations

from figures.runs import Run

POLICIES = ("cells", "crema", "google-sample", "quiescent", "one-per-cell")
TRACES = ("team", "matrix", "company")
# One cell for each runner of the company's day takes as long as all other policies on all traces, and shows what few writes
# do to it no better than the matrices do.
_LEFT_OUT = {("company", "one-per-cell")}
CELLS_TRACES = ("matrix", "company")
NUMBERS_OF_CELLS = (40, 60, 120, 300)
WRITES = (180, 30)
# So many parked instances give the team's median job a wait of the registration alone.
WARM = 5

_UNSEEN_SHAPES = ("heavy-tails", "merge-queue", "retry-storm", "night", "trickle", "tsz")
_OTHER_SEEDS = {"team": (2, 3), "matrix": (2, 3), "company": (2,)}

PROMISES = (
    *(Run(trace=trace, writes=writes) for trace in TRACES for writes in WRITES),
    *(Run(trace="team", writes=writes, warm=WARM) for writes in WRITES),
)
"""What was promised, and tuned on."""

UNSEEN = (
    *(Run(trace=trace, writes=writes) for trace in _UNSEEN_SHAPES for writes in WRITES),
    *(
        Run(trace=trace, trace_seed=seed, writes=writes)
        for trace, seeds in _OTHER_SEEDS.items()
        for seed in seeds
        for writes in WRITES
    ),
)
"""Never tuned on."""


def of_policies(trace: str) -> dict[str, Run]:
    """By policy, with the writes of a young project."""
    return {
        policy: Run(trace=trace, policy=policy) for policy in POLICIES if (trace, policy) not in _LEFT_OUT
    }


BY_POLICY = tuple(run for trace in TRACES for run in of_policies(trace).values())
"""Every policy on the same jobs."""


def of_cells(trace: str, *, writes: int) -> dict[int, Run]:
    """By the number of cells."""
    return {cells: Run(trace=trace, cells=cells, writes=writes) for cells in NUMBERS_OF_CELLS}
