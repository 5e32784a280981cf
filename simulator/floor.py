"""PURE: the waits that no policy beats without paying for idle instances.

What is compared with: an all-knowing scaler in the same world. It learns of a job in the moment the job is queued, not
before; its writes take no time and have no limit; victims are of its choice; it knows how long every job runs. `start`,
`registration`, `restart`, `max_runners`, `warm` and the bucket of registrations are those of the assumptions.

Jobs are served in the order of their queueing. Each takes the instance that is ready first of:

* a parked one: ready at once. `warm` of them are parked when the trace begins, and whenever fewer are parked or coming
  and max allows, another is begun;
* a new one, while fewer than `max_runners` exist: ready `start` after the queueing;
* one whose job ends: ready `restart` after that end, or `start` after it if that is sooner (given up, and a new one in its
  place). One that is back and finds no job stays if fewer than `warm` are parked; else it is gone.

Then the registration begins, at the first moment from which the bucket of `registrations_per_minute` (the scaler's own,
`scaler.budget`) has one left, and `registration` seconds later the job runs.

Why this is a floor: serving in order, nothing can be ready sooner than the soonest, and who waits for a later instance
or a later registration helps nobody, since all jobs before have theirs and all after come no sooner. What it is not: a
bound for a policy that keeps more than `warm` idle (cells that wait for their last runner do: a job may find such an
instance and wait for its registration alone), nor for one that lets some jobs wait so that others need not.
Hence also: more runners may mean a longer wait for one job, but by `start` at most: with fewer, a late job may have kept
an instance up until this one came. For jobs that are queued together more runners never mean a longer wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf, nextafter

from scaler.budget import WINDOW_SECONDS, MinuteBudget
from simulator.assumptions import Assumptions
from simulator.trace import Trace


def wait_floors(trace: Trace, assumptions: Assumptions) -> Sequence[float]:
    """One wait for each job of the trace, in its order: seconds from queued to running. The module says under which scaler.

    `outcome.percentile` makes p50, p95 and p99 of them. Raises ValueError where no job could ever run: without a
    runner or without a registration a minute.
    """
    if assumptions.max_runners < 1 or assumptions.registrations_per_minute < 1:
        raise ValueError("without a runner or a registration a minute no job ever runs")
    instances = _Instances(assumptions)
    bucket = _Bucket(assumptions.registrations_per_minute)
    waits = []
    for job in trace:
        ready = instances.taken(job.queued_at)
        running = bucket.used(ready) + assumptions.registration
        instances.ends(running + job.duration)
        waits.append(running - job.queued_at)
    return waits


class _Instances:
    """The instances that exist: parked, coming up without a job, and those with a job of which the end is known."""

    def __init__(self, assumptions: Assumptions) -> None:
        self._assumptions = assumptions
        self._parked = min(assumptions.warm, assumptions.max_runners)
        self._coming: list[float] = []  # when each is up
        self._ends: list[float] = []  # when the job of each is over

    def taken(self, now: float) -> float:
        """The moment at which the instance of a job that is queued now is ready. `now` never goes back."""
        self._pass(now)
        start = self._assumptions.start
        ready = self._soonest(now)
        if self._parked + len(self._coming) < self._assumptions.warm and self._may_begin(beside=1):
            heappush(self._coming, now + start)
        return ready

    def ends(self, when: float) -> None:
        """The job of the instance that was taken last is over at that moment."""
        heappush(self._ends, when)

    def _soonest(self, now: float) -> float:
        start, restart = self._assumptions.start, self._assumptions.restart
        if self._parked:
            self._parked -= 1
            return now
        back = min(self._coming[0], now + start) if self._coming else inf
        freed = self._ends[0] + min(restart, start) if self._ends else inf
        new = now + start if self._may_begin() else inf
        # Of equals the new one: the other is still there for the next job, and no later.
        if new <= min(back, freed):
            return new
        heappop(self._coming if back <= freed else self._ends)
        return min(back, freed)

    def _may_begin(self, *, beside: int = 0) -> bool:
        exist = self._parked + len(self._coming) + len(self._ends) + beside
        return exist < self._assumptions.max_runners

    def _pass(self, now: float) -> None:
        """Let time come to `now`: jobs end, instances come up, and those that are too many are gone."""
        while self._ends and self._ends[0] <= now:
            heappush(self._coming, heappop(self._ends) + self._assumptions.restart)
        # One that comes up in this very moment finds the job that is queued in it.
        while self._coming and self._coming[0] < now:
            heappop(self._coming)
            self._parked = min(self._assumptions.warm, self._parked + 1)


class _Bucket:
    """When the next registration may begin."""

    def __init__(self, per_minute: int) -> None:
        self._budget = MinuteBudget(per_minute)
        self._last: deque[float] = deque(maxlen=per_minute)

    def used(self, ready: float) -> float:
        """The first moment from `ready` on, and from the one before it on, at which a registration is left; uses it."""
        when = max(ready, self._last[-1]) if self._last else ready
        if self._budget.left(when) < 1:
            when = self._last[0] + WINDOW_SECONDS
            while self._budget.left(when) < 1:  # the sum may have been rounded down
                when = nextafter(when, inf)
        self._budget.use(when)
        self._last.append(when)
        return when
