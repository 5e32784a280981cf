"""PURE: jobs that come one by one: a trickle, and a stream of which a few take hours."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.shapes.durations import heavy_tailed, rounded
from simulator.trace import TraceJob

DAY = 24 * 3600.0


def trickle(chance: Random) -> Iterator[TraceJob]:
    """A day of one job of one to three minutes about every ten minutes."""
    at = chance.uniform(0.0, 600.0)
    while at < DAY:
        yield TraceJob(queued_at=rounded(at), duration=rounded(chance.uniform(60.0, 180.0)))
        at += chance.uniform(420.0, 780.0)


def heavy_tails(chance: Random) -> Iterator[TraceJob]:
    """3,000 jobs in half a day, at random moments. Pareto with alpha 1.5 from 90 s on: a few take as long as hundreds."""
    for _ in range(3000):
        yield TraceJob(
            queued_at=rounded(chance.uniform(0.0, DAY / 2)), duration=heavy_tailed(chance, 90.0, 1.5)
        )
