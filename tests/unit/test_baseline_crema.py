"""CREMA's rule gives the numbers that follow from its source: the ramp, the hold of 300 seconds, the drop in one step."""

from __future__ import annotations

import math

import pytest

from simulator.baselines import crema

DEFAULTS = crema.Settings()


class _Loop:
    """Polls whose operations take no time, over a demand that changes with time."""

    def __init__(self, settings: crema.Settings) -> None:
        self.settings = settings
        self.state = crema.started(current=0, now=0.0)
        self.counts: list[tuple[float, int]] = [(0.0, 0)]

    def poll(self, now: float, demand: int) -> int:
        """One poll whose write succeeds."""
        before = self.counts[-1][1]
        self.state, after = crema.step(self.settings, self.state, count=demand, current=before, now=now)
        if after != before:
            self.state = crema.changed(self.settings, self.state, before=before, after=after, now=now)
        self.counts.append((now, after))
        return after


def _ramp(demand: int, interval: float, *, most: int = 100) -> list[tuple[float, int]]:
    """When each count is asked for, in seconds since the first poll that sees the demand."""
    loop = _Loop(crema.Settings(poll=interval, most=most))
    polls = [(step * interval, loop.poll(interval * (step + 1), demand)) for step in range(12)]
    return [poll for poll, before in zip(polls, [(0.0, 0), *polls], strict=False) if poll[1] != before[1]]


@pytest.mark.parametrize(
    ("demand", "most", "counts"),
    [
        (100, 100, [1, 5, 10, 20, 40, 80, 100]),
        (80, 100, [1, 5, 10, 20, 40, 80]),
        (500, 100, [1, 5, 10, 20, 40, 80, 100]),
        (500, 300, [1, 5, 10, 20, 40, 80, 160, 300]),
        (1, 100, [1]),
        (3, 100, [1, 3]),
        (7, 100, [1, 5, 7]),
    ],
)
def test_the_count_doubles_from_five_on(demand: int, most: int, counts: list[int]) -> None:
    """0, 1, 5, 10, 20, 40, 80, 100: one first, then the greater of twice as many and four more."""
    assert [count for _, count in _ramp(demand, 30.0, most=most)] == counts


@pytest.mark.parametrize(
    ("demand", "steps", "seconds"),
    [
        (1, 1, (8, 15, 30)),
        (5, 2, (23, 45, 90)),
        (10, 3, (38, 75, 150)),
        (20, 4, (53, 105, 210)),
        (40, 5, (68, 135, 270)),
        (100, 7, (98, 195, 390)),
    ],
)
def test_so_long_it_takes_on_average_to_ask_for(
    demand: int, steps: int, seconds: tuple[int, int, int]
) -> None:
    """A demand waits half an interval for its first poll, and one interval for each further step."""
    for interval, expected in zip((15.0, 30.0, 60.0), seconds, strict=True):
        ramp = _ramp(demand, interval)
        assert len(ramp) == steps
        assert ramp[-1][1] == demand
        mean = interval / 2 + ramp[-1][0]
        assert math.floor(mean + 0.5) == expected


def test_a_poll_a_little_early_at_fifteen_seconds_stands_still() -> None:
    """At an interval of exactly 15 seconds the step before may still be inside the period, which allows no second one."""
    loop = _Loop(DEFAULTS)
    assert [loop.poll(now, 100) for now in (15.0, 30.0, 45.0)] == [1, 5, 10]
    assert loop.poll(59.9, 100) == 10
    assert loop.poll(60.0, 100) == 20


def test_the_period_begins_after_its_first_moment() -> None:
    """A step exactly 15 seconds ago no longer counts."""
    state = crema.State(added=(crema.Point(at=100.0, value=10),))
    assert crema.step(DEFAULTS, state, count=99, current=20, now=115.0)[1] == 40
    assert crema.step(DEFAULTS, state, count=99, current=20, now=114.9)[1] == 20


def test_instances_removed_within_the_period_may_come_back() -> None:
    state = crema.State(removed=(crema.Point(at=100.0, value=30),))
    assert crema.step(DEFAULTS, state, count=99, current=10, now=110.0)[1] == 80


def test_it_drops_in_one_step_300_seconds_after_the_last_peak() -> None:
    """And to the greatest recommendation of the window, not to the newest."""
    loop = _Loop(crema.Settings(most=300))
    for tick in range(1, 11):
        loop.poll(tick * 30.0, 40)
    peak_at = loop.counts[-1][0]
    demands = iter([7, 3, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    after = [(now, loop.poll(now, next(demands))) for now in (peak_at + 30.0 * k for k in range(1, 15))]
    assert {count for now, count in after if now < peak_at + 300.0} == {40}
    assert next(count for now, count in after if now == peak_at + 300.0) == 12
    assert [count for now, count in after if now > peak_at + 300.0] == [12, 12, 5, 0]


@pytest.mark.parametrize("instances", [1, 20, 100])
@pytest.mark.parametrize("interval", [15.0, 30.0, 60.0])
def test_a_burst_costs_300_idle_seconds_for_each_instance(instances: int, interval: float) -> None:
    """From the last poll that saw the burst to zero; from the last job it is less by up to one interval."""
    loop = _Loop(crema.Settings(poll=interval))
    ticks = (interval * k for k in range(1, 200))
    while (now := next(ticks)) < 20 * interval:
        loop.poll(now, instances)
    last_seen = loop.counts[-1]
    assert last_seen[1] == instances
    while loop.poll(now, 0):
        now = next(ticks)
    idle = sum(
        count * (after - at)
        for (at, count), (after, _) in zip(loop.counts, loop.counts[1:], strict=False)
        if at >= last_seen[0]
    )
    assert idle == instances * 300.0


def test_the_step_from_zero_leaves_no_recommendation() -> None:
    """Whoever sees a demand for one poll only holds nothing for 300 seconds."""
    loop = _Loop(DEFAULTS)
    assert loop.poll(30.0, 50) == 1
    assert loop.poll(60.0, 0) == 0


def test_the_step_from_zero_counts_as_a_change() -> None:
    """Polls ten seconds apart: the second began its period with none, so four is the limit; at fifteen it is five."""
    loop = _Loop(DEFAULTS)
    assert [loop.poll(now, 100) for now in (10.0, 20.0)] == [1, 4]


def test_a_write_that_failed_does_not_slow_the_next() -> None:
    state, wanted = crema.step(DEFAULTS, crema.started(current=10, now=0.0), count=99, current=10, now=30.0)
    assert wanted == 20
    assert crema.step(DEFAULTS, state, count=99, current=10, now=35.0)[1] == 20
    made = crema.changed(DEFAULTS, state, before=10, after=20, now=30.0)
    assert crema.step(DEFAULTS, made, count=99, current=20, now=35.0)[1] == 20


def test_a_restart_holds_the_count_that_it_finds() -> None:
    """The window is gone with the process; the new one begins with the current count."""
    state = crema.started(current=40, now=1000.0)
    assert crema.step(DEFAULTS, state, count=5, current=40, now=1299.0)[1] == 40
    assert crema.step(DEFAULTS, state, count=5, current=40, now=1300.0)[1] == 5


def test_a_greater_recommendation_of_the_window_never_raises() -> None:
    """A count below the peak stays where it is while demand falls."""
    state = crema.State(recommendations=(crema.Point(at=0.0, value=100),))
    assert crema.step(DEFAULTS, state, count=20, current=40, now=30.0)[1] == 40


def test_a_window_for_growth_takes_its_least_recommendation() -> None:
    """The default of zero seconds asks nobody; 60 seconds hold back what not every poll has wanted."""
    state = crema.State(recommendations=(crema.Point(at=100.0, value=12),))
    patient = crema.Settings(window_up=60.0)
    assert crema.step(patient, state, count=18, current=10, now=130.0)[1] == 12
    assert crema.step(DEFAULTS, state, count=18, current=10, now=130.0)[1] == 18


def test_a_slower_shrink_is_counted_from_the_count_at_the_beginning_of_the_period() -> None:
    gentle = crema.Settings(window_down=0.0, down_percent=50)
    state = crema.State(removed=(crema.Point(at=100.0, value=10),))
    assert crema.step(gentle, state, count=0, current=30, now=110.0)[1] == 20
    assert crema.step(gentle, state, count=0, current=30, now=120.0)[1] == 15


def test_the_count_stays_within_its_bounds() -> None:
    bounded = crema.Settings(least=2, most=7, window_down=0.0)
    assert crema.step(bounded, crema.State(), count=9, current=6, now=30.0)[1] == 7
    assert crema.step(bounded, crema.State(), count=0, current=6, now=30.0)[1] == 2
    assert crema.step(bounded, crema.State(), count=9, current=0, now=30.0)[1] == 2


def test_memory_is_no_longer_than_its_windows() -> None:
    """A day of polls leaves those of the last 300 seconds."""
    loop = _Loop(DEFAULTS)
    for tick in range(1, 2881):
        loop.poll(tick * 30.0, 5 + tick % 7)
    assert len(loop.state.recommendations) == 10
    assert len(loop.state.added) + len(loop.state.removed) <= 2


@pytest.mark.parametrize(
    ("tick", "ended", "following"),
    [
        (0, 0.0, (1, 30.0)),
        (1, 30.0, (2, 60.0)),
        (1, 59.9, (2, 60.0)),
        (1, 60.0, (2, 60.0)),
        (1, 70.0, (2, 70.0)),
        (2, 110.0, (3, 110.0)),
        (1, 190.0, (6, 190.0)),
    ],
)
def test_one_tick_waits_for_a_long_poll_and_the_others_are_dropped(
    tick: int, ended: float, following: tuple[int, float]
) -> None:
    """The first poll comes after one interval; a cycle is as long as the interval or the poll, whichever is longer."""
    assert crema.next_poll(DEFAULTS, tick=tick, ended=ended) == following
