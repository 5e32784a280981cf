"""PURE: what a burst of jobs costs at least, however clever the policy.

The class of policies that `least_paid` bounds from below: a policy of it may know every duration beforehand and need no time
for its writes, and it

1. starts every job within `start + registration` of its queueing, the floor of `simulator.floor` where runners and
   registrations are enough, on an instance that no other job of the burst has;
2. learns of a job in the moment it is queued, and keeps no cell up in which nobody works, but for `warm` instances;
3. never lowers a cell under a running job, and lowers it only to zero: a cell is paid for until its last runner is done;
4. has at most `max_cells` cells, and raises at most `writes_per_minute` of them in any minute.

A policy that lets jobs wait can pay less: it is outside of the class. So is one that kills. Lowering is free here, and
so is all that is spent between two bursts on instances whose own job is done: the bound errs downwards only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import inf

from simulator.assumptions import Assumptions
from simulator.floor import wait_floors
from simulator.trace import Trace

_ROUNDING = 1e-6


def least_in_groups(
    seconds: Sequence[float],
    groups: int,
    *,
    beside: int = 0,
    less: float = 0.0,
    longest: float = inf,
    in_all: int | None = None,
) -> float:
    """The least Σ |g| · min(longest, max(g)) over all ways to part `seconds` into at most `groups` groups; 0 without any.

    `seconds`: how long an instance must be up for each runner; a group is a cell. `beside` further groups may be made for
    which max(g) is `less` seconds shorter. In O(n · groups · (beside + 1)).
    """
    # Some best parting is of neighbours in sorted order. Take a best one and its group with the longest runner, of size k:
    # exchanging its others for the k - 1 longest of the rest costs that group nothing and makes no other group's longest
    # longer; then the same holds for what is left.
    ranked = sorted(seconds)
    fresh = [min(longest, each) for each in ranked]
    cheap = [min(longest, each - less) for each in ranked]
    nothing = [0.0] + [inf] * len(ranked)
    # The least for the first so many runners, with the fresh groups of the rounds so far and each number of cheap ones.
    best = list(accumulate(range(beside), lambda before, _: _grown(before, before, cheap), initial=nothing))
    most = groups + beside if in_all is None else in_all
    least = best[min(beside, most)][-1]
    for fresh_ones in range(1, min(groups, len(ranked), most) + 1):
        with_fresh = [_grown(before, before, fresh) for before in best]
        best = [with_fresh[0]]
        for after in with_fresh[1:]:
            best.append(_grown(after, best[-1], cheap))
        least = min(least, best[min(beside, most - fresh_ones)][-1])
    return least


def _grown(least: Sequence[float], before: Sequence[float], heights: Sequence[float]) -> list[float]:
    """`least`, or what one more group at the end makes of `before` where that is less; `heights` never fall.

    For each end, the least before[begin] + (end - begin) · height. With rising heights the best begin never goes back, and
    it is always a corner of the lower hull of the points (begin, before[begin]): so one pass is enough.
    """
    grown = [least[0]]
    hull: deque[int] = deque()
    for end, height in enumerate(heights, start=1):
        begin = end - 1
        if before[begin] < inf:
            while len(hull) > 1 and not _is_below(before, hull[-2], hull[-1], begin):
                hull.pop()
            hull.append(begin)
        while len(hull) > 1 and before[hull[1]] - before[hull[0]] <= (hull[1] - hull[0]) * height:
            hull.popleft()
        grown.append(min(least[end], before[hull[0]] + (end - hull[0]) * height))
    return grown


def _is_below(heights: Sequence[float], left: int, middle: int, right: int) -> bool:
    """Tell whether the point at `middle` is below the line from `left` to `right`."""
    rise_before = (heights[middle] - heights[left]) * (right - middle)
    return rise_before < (heights[right] - heights[middle]) * (middle - left)


def matrix_bound(trace: Trace, assumptions: Assumptions) -> float:
    """The least paid over ideal of any policy of the class above: `least_paid` over Σ (duration + start + registration)."""
    lead = assumptions.start + assumptions.registration
    ideal = sum(job.duration + lead for job in trace)
    return least_paid(trace, assumptions) / ideal if trace else 1.0


def least_paid(trace: Trace, assumptions: Assumptions) -> float:
    """The instance-seconds that any policy of the class above pays at least for the trace.

    Jobs of one `queued_at` are a burst, and time is cut where bursts begin, so that no instance is counted twice: a burst's
    own groups count up to the next burst, and beyond it only instances whose job still runs. Where some job cannot begin
    `start + registration` after its queueing, for want of runners or registrations, only Σ (registration + duration) is
    left of the bound. Meant for a few large bursts. Raises ValueError as `wait_floors` does.
    """
    floors = wait_floors(trace, assumptions)
    if max(floors, default=0.0) > assumptions.start + assumptions.registration + _ROUNDING:
        return sum(assumptions.registration + job.duration for job in trace)
    return sum(_paid_from(burst, assumptions) for burst in _bursts(trace, assumptions))


@dataclass(frozen=True, slots=True)
class _Burst:
    """Jobs queued together.

    `until`: seconds to the next burst. `running`: how much longer each job of an earlier burst runs at least. `up`: how
    many jobs of earlier bursts may still run, or their instances be there. The two differ in when a job may have begun.
    """

    durations: Sequence[float]
    until: float
    running: Sequence[float]
    up: int


def _paid_from(burst: _Burst, assumptions: Assumptions) -> float:
    """What is paid at least from this burst to the next."""
    lead = assumptions.start + assumptions.registration
    own = least_in_groups(
        [lead + duration for duration in burst.durations],
        min(assumptions.max_cells, assumptions.writes_per_minute),
        # A cell that is up need not be raised. Its idle instances were paid for before, so its longest job may do without
        # a start, and the whole cell is done that much sooner.
        beside=min(burst.up + assumptions.warm, assumptions.max_cells, len(burst.durations)),
        less=assumptions.start,
        longest=burst.until,
        in_all=assumptions.max_cells,
    )
    # Whose job ends within `start` may serve a job of this burst, and is counted there.
    return own + sum(min(burst.until, left) for left in burst.running if left > assumptions.start)


def _bursts(trace: Trace, assumptions: Assumptions) -> Iterator[_Burst]:
    lead = assumptions.start + assumptions.registration
    earliest: list[float] = []  # ends of the jobs before, had each found an idle instance
    latest: list[float] = []  # the same, had each waited for a start, and its container been replaced
    grouped = [(at, [job.duration for job in jobs]) for at, jobs in groupby(trace, lambda job: job.queued_at)]
    moments = [at for at, _ in grouped] + [inf]
    for (at, durations), following in zip(grouped, moments[1:], strict=True):
        earliest = [end for end in earliest if end > at]
        latest = [end for end in latest if end >= at]
        yield _Burst(durations, following - at, [end - at for end in earliest], len(latest))
        earliest += [at + assumptions.registration + duration for duration in durations]
        latest += [at + lead + duration + assumptions.restart for duration in durations]
