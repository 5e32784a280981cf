"""The least that bursts cost: against every parting of small bursts, and small traces done by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest

from simulator.assumptions import Assumptions
from simulator.bounds import least_in_groups, least_paid, matrix_bound
from simulator.generators import generated
from simulator.trace import TraceJob

ONE_CELL = Assumptions(max_cells=1)


def partings(values: list[float]) -> Iterator[list[list[float]]]:
    """Every way to part the values into groups."""
    if not values:
        yield []
        return
    first, *others = values
    for parting in partings(others):
        yield [[first], *parting]
        for place, group in enumerate(parting):
            yield [*parting[:place], [first, *group], *parting[place + 1 :]]


def least_of_all(
    values: list[float], groups: int, *, beside: int, less: float, longest: float, in_all: int
) -> float:
    """The same as `least_in_groups`, by trying everything."""
    return min(
        sum(
            len(group) * min(longest, max(group) - (less if number in cheap else 0.0))
            for number, group in enumerate(parting)
        )
        for parting in partings(values)
        if len(parting) <= min(groups + beside, in_all)
        for how_many in range(max(0, len(parting) - groups), min(beside, len(parting)) + 1)
        for cheap in combinations(range(len(parting)), how_many)
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_parting_of_a_small_burst_is_cheaper(seed: int) -> None:
    chance = Random(seed)
    values = [float(chance.randint(20, 60)) for _ in range(chance.randint(1, 7))]
    groups, beside = chance.randint(1, 4), chance.choice([0, 0, 1, 2])
    longest = chance.choice([float("inf"), 45.0])
    in_all = chance.randint(1, groups + beside)
    found = least_in_groups(values, groups, beside=beside, less=12.0, longest=longest, in_all=in_all)
    assert found == least_of_all(values, groups, beside=beside, less=12.0, longest=longest, in_all=in_all)


def test_one_group_is_paid_for_until_the_longest_is_done() -> None:
    assert least_in_groups([10, 20, 90], 1) == 270
    assert least_in_groups([10, 20, 90], 2) == 2 * 20 + 90
    assert least_in_groups([10, 20, 90], 3) == least_in_groups([10, 20, 90], 9) == 120
    assert least_in_groups([], 3) == 0


def test_a_burst_has_as_many_groups_as_there_are_cells_or_writes_in_a_minute() -> None:
    trace = [TraceJob(queued_at=0, duration=seconds) for seconds in (10, 20, 90)]
    few_cells = Assumptions(max_cells=2)
    few_writes = Assumptions(writes_per_minute=2)
    assert least_paid(trace, few_cells) == least_paid(trace, few_writes) == 2 * 38 + 108
    assert matrix_bound(trace, few_cells) == (2 * 38 + 108) / (28 + 38 + 108)


def test_bursts_that_are_over_before_the_next_are_added() -> None:
    burst = [10.0, 20.0, 90.0]
    trace = [TraceJob(queued_at=at, duration=each) for at in (0, 900) for each in burst]
    assert least_paid(trace, ONE_CELL) == 2 * 3 * 108


def test_what_is_still_up_at_the_next_burst_is_not_counted_twice() -> None:
    """Up to 100 both instances of the first burst are paid for; then one runs on, until 206 at the soonest, and the other may
    serve the second burst without a start.
    """
    trace = [
        TraceJob(queued_at=0, duration=10),
        TraceJob(queued_at=0, duration=200),
        TraceJob(queued_at=100, duration=10),
    ]
    assert least_paid(trace, ONE_CELL) == 2 * 100 + 106 + 16


def test_whose_job_ends_just_after_a_burst_may_serve_it() -> None:
    """One cell of two instances, up from 0 to 300: at 100 and at 200 one is idle, and the other is back twelve seconds later,
    in time for the second job. Nothing is paid beside the two.
    """
    trace = [
        TraceJob(queued_at=0, duration=90),  # 18 to 108, back at 112
        TraceJob(queued_at=0, duration=78),  # 18 to 96, back at 100
        TraceJob(queued_at=100, duration=102),  # on the second: 106 to 208, back at 212
        TraceJob(queued_at=100, duration=78),  # on the first: 118 to 196, back at 200
        TraceJob(queued_at=200, duration=94),  # on the first: 206 to 300
        TraceJob(queued_at=200, duration=10),  # on the second: 218 to 228
    ]
    assert least_paid(trace, ONE_CELL) == 2 * 300


def test_where_jobs_cannot_all_begin_at_once_only_what_each_needs_alone_is_left() -> None:
    trace = [TraceJob(queued_at=0, duration=100)] * 3
    assert least_paid(trace, Assumptions(max_runners=2)) == 3 * 106


def test_no_jobs_cost_nothing_and_their_ratio_is_one() -> None:
    assert least_paid([], Assumptions()) == 0
    assert matrix_bound([], Assumptions()) == 1


def test_more_cells_more_writes_or_warm_instances_never_make_the_bound_higher() -> None:
    trace = generated("matrix", 1)[:480]
    bounds = [
        matrix_bound(trace, Assumptions(writes_per_minute=writes, max_cells=cells))
        for writes, cells in ((10, 60), (30, 60), (60, 60), (60, 120), (120, 120))
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert matrix_bound(trace, replace(Assumptions(), warm=5)) < matrix_bound(trace, Assumptions())


def test_a_burst_of_120_jobs_takes_less_than_a_second() -> None:
    durations = [job.duration for job in generated("matrix", 1)[:120]]
    begun = time.process_time()
    least_in_groups(durations, 60)
    assert time.process_time() - begun < 1
