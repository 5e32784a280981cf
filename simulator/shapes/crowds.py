"""PURE: many jobs at one moment: matrices, a merge queue, a nightly, retries after an outage, the public incident."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.shapes.durations import around, rounded
from simulator.trace import TraceJob

HOUR = 3600.0


def matrix(chance: Random) -> Iterator[TraceJob]:
    """120 jobs queued together every 15 minutes for four hours.

    Uneven: the median is four minutes, and one job in twenty takes about three times as long.
    """
    for burst in range(16):
        for _ in range(120):
            median = 720.0 if chance.random() < 0.05 else 240.0
            yield _job(burst * 900.0, around(chance, median, 0.5), "matrix")


def tsz(chance: Random) -> Iterator[TraceJob]:
    """309 jobs at once, as in the incident of 2026-05-21: https://github.com/tsz-org/tsz/issues/9918.

    Only the number is the incident's; its jobs' durations are not public.
    """
    for _ in range(309):
        yield _job(0.0, rounded(chance.uniform(300.0, 1200.0)), "test")


def night(chance: Random) -> Iterator[TraceJob]:
    """A nightly of 250 jobs at 02:00, and twenty jobs over the rest of the day."""
    for _ in range(250):
        yield _job(2 * HOUR, around(chance, 480.0, 0.6), "nightly")
    for _ in range(20):
        yield _job(rounded(chance.uniform(6.0, 24.0) * HOUR), around(chance, 180.0, 0.4), "build")


def merge_queue(chance: Random) -> Iterator[TraceJob]:
    """Batches of 30 jobs for six hours; each batch begins up to a minute after the longest job of the one before it.

    When a batch ends hangs on the runners too, which a trace cannot know: half a minute is allowed for them.
    """
    at = 0.0
    while at < 6 * HOUR:
        batch = [_job(rounded(at), around(chance, 120.0, 0.4, longest=600.0), "merge") for _ in range(30)]
        yield from batch
        at += max(job.duration for job in batch) + chance.uniform(30.0, 90.0)


def retry_storm(chance: Random) -> Iterator[TraceJob]:
    """An outage one hour into a quiet morning: 200 jobs queue within a minute, fail after about 20 s, and each is
    queued five more times within minutes; only the last try takes its proper time.
    """
    for _ in range(60):
        yield _job(rounded(chance.uniform(0.0, 3.0) * HOUR), around(chance, 240.0, 0.4), "build")
    for _ in range(200):
        at = HOUR + chance.uniform(0.0, 60.0)
        for _ in range(5):
            yield _job(rounded(at), around(chance, 20.0, 0.1), "flaky")
            at += chance.uniform(45.0, 120.0)
        yield _job(rounded(at), around(chance, 240.0, 0.4), "flaky")


def _job(at: float, duration: float, name: str) -> TraceJob:
    return TraceJob(queued_at=at, duration=duration, job=name)
