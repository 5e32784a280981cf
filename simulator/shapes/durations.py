"""PURE: how long jobs take. Chance is a seeded argument; times are seconds."""

from __future__ import annotations

from random import Random

SHORTEST = 5.0
# GitHub ends a job after six hours if its workflow says nothing else:
# https://docs.github.com/en/actions/reference/workflow-syntax-for-github-actions#jobsjob_idtimeout-minutes
LONGEST = 6 * 3600.0


def rounded(seconds: float) -> float:
    """To a tenth of a second: the last bits of a logarithm differ between machines, a trace must not."""
    return round(seconds, 1)


def around(chance: Random, median: float, spread: float, *, longest: float = LONGEST) -> float:
    """A lognormal duration with that median. `spread` is the deviation of its logarithm: 0.3 means that two of three
    jobs take between 0.74 and 1.35 of the median.
    """
    return rounded(min(longest, max(SHORTEST, median * chance.lognormvariate(0.0, spread))))


def heavy_tailed(chance: Random, shortest: float, alpha: float) -> float:
    """A Pareto duration of `shortest` or more, cut at six hours."""
    return rounded(min(LONGEST, shortest * chance.paretovariate(alpha)))
