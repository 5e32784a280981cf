"""PURE: what a simulation found, and the numbers that people compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How things stood at one moment; `at` is seconds since the trace began."""

    at: float
    instances: int
    running: int
    queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of one policy over one trace; times are seconds.

    `waits`: from queued to running, one for each job that began. `killed`: jobs that a lowered count stopped; `lost`: jobs
    that ended otherwise than by themselves. `paid`: seconds of all instances that were counted. `cells`: how many worker
    pools were ever in use.
    """

    policy: str
    jobs: int
    completed: int
    killed: int
    lost: int
    waits: Sequence[float]
    paid: float
    ideal: float
    writes: int
    lowering_writes: int
    registrations: int
    cells: int
    peak_instances: int
    samples: Sequence[Sample] = field(default=(), repr=False)

    def wait(self, share: float) -> float:
        """The wait that this share of the jobs (0 to 1) did not exceed; 0 without any."""
        return percentile(self.waits, share)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank); 0 without any."""
    if not values:
        return 0.0
    ranked = sorted(values)
    rank = -(-len(ranked) * share // 1)
    return ranked[min(len(ranked), max(1, int(rank))) - 1]
