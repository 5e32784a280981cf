"""PURE: the plainest rule that spares jobs in one worker pool: up with demand, down only when there is nothing to do at all.

Nobody publishes it; it is what is left of one worker pool if no running job may be hit, since Cloud Run picks the victims. Its
price is that one long job keeps every instance of a burst. It is not quite safe: nothing keeps a runner from taking a job between
the look and the write, so a job that comes in that fraction of a second is hit.
"""

from __future__ import annotations


def next_count(*, open_jobs: int, count: int, max_runners: int) -> int:
    """The count to ask for when `open_jobs` are queued or running at a configured count of `count`."""
    if open_jobs == 0:
        return 0
    return max(count, min(open_jobs, max_runners))
