"""What the stand-in Cloud Run has noted of the writes of counts, beside what the stand-in GitHub has noted of the jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.pool_world import PoolWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowering:
    """A count that was lowered from `before` to `count`, and how many jobs ran at that moment."""

    cell: str
    before: int
    count: int
    running: int


def lowerings(world: PoolWorld) -> Sequence[Lowering]:
    """Every accepted write that has lowered a count, in order. A job runs from its first step to its end."""
    jobs = world.emulator.github.jobs()
    return [
        Lowering(
            cell=write["worker_pool"],
            before=write["from"],
            count=write["to"],
            running=sum(_ran(job, write["at"]) for job in jobs),
        )
        for write in _accepted(world)
        if write["to"] < write["from"]
    ]


def peak_instances(world: PoolWorld) -> int:
    """The largest sum of all counts."""
    counts: dict[str, int] = {}
    peak = 0
    for write in _accepted(world):
        counts[write["worker_pool"]] = write["to"]
        peak = max(peak, sum(counts.values()))
    return peak


def _accepted(world: PoolWorld) -> Iterator[Mapping[str, Any]]:
    for write in sorted(world.emulator.cloud.writes(), key=lambda each: float(each["at"])):
        if write["method"] == "PATCH" and write["status"] == 200:
            yield write


def _ran(job: Mapping[str, Any], at: float) -> bool:
    begun, ended = job["started_at"], job["completed_at"]
    return begun is not None and begun <= at and (ended is None or at < ended)
