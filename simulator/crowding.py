"""PURE: how crowded a trace is."""

from __future__ import annotations

from simulator.assumptions import Assumptions
from simulator.trace import Trace


def most_at_once(trace: Trace, assumptions: Assumptions) -> int:
    """The most instances that are needed at one moment if each job gets its own when it is queued and gives it back at its end.

    From the queueing on an instance starts, registers and runs: start + registration + duration seconds.
    """
    lead = assumptions.start + assumptions.registration
    # At one moment an end comes before a beginning.
    changes = sorted(
        change for job in trace for change in ((job.queued_at, 1), (job.queued_at + lead + job.duration, -1))
    )
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
