"""The jobs of one uneven run, drawn from its seed: how long each works, and when it is queued."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

# Most jobs are short and a few are long, as with the jobs of one repository's day.
MEDIAN_SECONDS = 1.6
SPREAD = 1.1
SHORTEST_SECONDS = 0.3
LONGEST_SECONDS = 25.0
SHARE_IN_BURSTS = 0.75
# Each push is a run, and each active run costs a call of every look at the queue.
LARGEST_DROP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Jobs that are queued together, `at` so many seconds after the run began: number -> seconds of work."""

    at: float
    lengths: Mapping[int, float]


def uneven_queue(seed: int, *, jobs: int, bursts: int, within: float) -> Sequence[Push]:
    """So many jobs in bursts of uneven size and in a trickle beside them, the earliest first, numbered from 0.

    The first burst comes at once, the others and the trickle at any time within so many seconds. The longest jobs come in
    the trickle, the longest of all at last: they are still at work when the instances of the bursts are given back.
    """
    chance = random.Random(seed)
    lengths = sorted(_length(chance) for _ in range(jobs))
    in_bursts = round(jobs * SHARE_IN_BURSTS)
    trickle = lengths[in_bursts:]
    lengths = [*chance.sample(lengths[:in_bursts], in_bursts), *trickle]
    edges = [0, *sorted(chance.sample(range(1, in_bursts), bursts - 1)), in_bursts]
    times = [0.0, *(chance.uniform(0.0, within) for _ in range(bursts - 1))]
    drops = []
    while edges[-1] < jobs:
        edges.append(min(jobs, edges[-1] + chance.randint(1, LARGEST_DROP)))
        drops.append(chance.uniform(0.0, within))
    parts = [range(begin, end) for begin, end in pairwise(edges)]
    pushes = [
        Push(at=at, lengths={number: lengths[number] for number in part})
        for at, part in zip([*times, *sorted(drops)], parts, strict=True)
    ]
    return sorted(pushes, key=lambda push: push.at)


def _length(chance: random.Random) -> float:
    drawn = chance.lognormvariate(log(MEDIAN_SECONDS), SPREAD)
    return round(min(LONGEST_SECONDS, max(SHORTEST_SECONDS, drawn)), 2)
