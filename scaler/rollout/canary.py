"""PURE: what the first cell with a new template has shown.

It has passed when a lease that was begun after the change has had its job to the end, however the job itself came out. It has
failed when Cloud Run cannot start it, when a lease met an obstacle, or when a job was lost in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cell_records.record import CellRecord
from scaler.cloud_run.wire import WorkerPool


class Trial(Enum):
    """Where a canary stands."""

    NONE = "it is no canary"
    WAITS = "no job has come to its end in it"
    PASSED = "a job has come to its end in it"
    FAILED = "it has failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`words`: what was seen, for people."""

    trial: Trial
    words: str = ""


def broken(reading: WorkerPool) -> str | None:
    """Why Cloud Run cannot carry a template out; a lack of capacity says nothing about it."""
    return None if reading.refused_at is not None else reading.failure


def verdict(record: CellRecord, reading: WorkerPool) -> Verdict:
    """What is known of a cell's template by now; what failed outweighs what was served."""
    since = record.canary_since
    if not since:
        return Verdict(trial=Trial.NONE)
    failure = broken(reading)
    if failure is not None:
        return Verdict(trial=Trial.FAILED, words=f"Cloud Run cannot carry its template out: {failure}")
    met = next((each for each in record.obstacles if each.at >= since), None)
    if met is not None:
        words = f"a lease ended without a job: {met.obstacle.value.replace('_', ' ')}"
        return Verdict(trial=Trial.FAILED, words=f"{words} ({met.words})" if met.words else words)
    if record.lost_at >= since:
        return Verdict(
            trial=Trial.FAILED, words="a job that ran in it was lost with its instance or its runner"
        )
    if record.served_at >= since:
        return Verdict(trial=Trial.PASSED, words="a job has come to its end in it")
    running = "a job runs in it" if record.leases else "no job has come to it yet"
    return Verdict(trial=Trial.WAITS, words=running)


def proven(record: CellRecord) -> bool:
    """Whether a cell that has the wished template and is no canary shows that it works: it served with it, and does not fail."""
    fails = any(each.at > record.served_at for each in record.obstacles)
    return not record.canary_since and record.served_at > record.changed_at and not fails
