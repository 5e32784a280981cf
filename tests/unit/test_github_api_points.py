"""Who may go when GitHub's points of a minute are scarce."""

from __future__ import annotations

import pytest

from github_api.points import POINTS_A_MINUTE, WINDOW_SECONDS, Points, Urgency, points_of
from tests.points_in_time import both_loads

T = 1000.0


def used_up_by(points: Points, urgency: Urgency, *, cost: int = 1, now: float = T) -> int:
    """How many calls went until one had to wait."""
    gone = 0
    while points.take(urgency, cost, now=now) == 0.0:
        gone += 1
    return gone


@pytest.mark.parametrize(
    ("method", "points"),
    [("GET", 1), ("HEAD", 1), ("OPTIONS", 1), ("POST", 5), ("PATCH", 5), ("PUT", 5), ("DELETE", 5)],
)
def test_a_call_costs_what_github_says(method: str, points: int) -> None:
    assert points_of(method) == points


def test_a_cold_sweep_of_a_thousand_repositories_fits_into_three_minutes_share() -> None:
    """2 lists each, 1 for each of 100 runs, 10 pages of the list of repositories."""
    assert 3 * used_up_by(Points(), Urgency.SWEEP) >= 2_110


def test_all_together_are_bound_by_githubs_limit() -> None:
    points = Points()
    assert used_up_by(points, Urgency.CHANGE, cost=5) == POINTS_A_MINUTE // 5
    for urgency in Urgency:
        assert points.take(urgency, 1, now=T + WINDOW_SECONDS - 0.1) > 0.0
    assert points.take(Urgency.NAMED, 1, now=T + WINDOW_SECONDS) == 0.0


@pytest.mark.parametrize(
    ("crowd", "still_go"),
    [
        (Urgency.SWEEP, {Urgency.CONFIRM: 30, Urgency.NAMED: 140, Urgency.CHANGE: 190}),
        (Urgency.CONFIRM, {Urgency.NAMED: 110, Urgency.CHANGE: 160}),
        (Urgency.NAMED, {Urgency.CHANGE: 50}),
    ],
)
def test_whoever_is_less_urgent_leaves_room(crowd: Urgency, still_go: dict[Urgency, int]) -> None:
    for urgency, room in still_go.items():
        points = Points()
        used_up_by(points, crowd)
        assert used_up_by(points, urgency) == room


def test_signals_about_busy_repositories_leave_room_for_a_quiet_one() -> None:
    """They go at once up to a bound, then spread, so that there is no minute without any."""
    points = Points()
    assert used_up_by(points, Urgency.AGAIN) == 640
    assert points.take(Urgency.AGAIN, 1, now=T) == 0.25
    for quarter in range(1, 200):
        assert points.take(Urgency.AGAIN, 1, now=T + 0.25 * quarter) == 0.0
    assert points.take(Urgency.AGAIN, 1, now=T + 49.9) > 0.0
    assert points.take(Urgency.NAMED, 1, now=T + 49.9) == 0.0


def test_a_wait_ends_when_the_points_have_left_the_minute() -> None:
    points = Points()
    used_up_by(points, Urgency.SWEEP)
    wait = points.take(Urgency.SWEEP, 1, now=T + 20.0)
    assert wait == WINDOW_SECONDS - 20.0
    assert points.take(Urgency.SWEEP, 1, now=T + 20.0 + wait) == 0.0


def test_registrations_in_full_flow_leave_a_sweep_what_is_over() -> None:
    """150 registrations a minute are 750 points."""
    points = Points()
    for _ in range(150):
        assert points.take(Urgency.CHANGE, 5, now=T) == 0.0
    assert used_up_by(points, Urgency.SWEEP) == 60


@pytest.mark.parametrize("pace", [0.03, 0.05, 0.1])
def test_registrations_in_full_flow_go_beside_endless_looks_at_busy_repositories(pace: float) -> None:
    """150 a minute are promised, from the first minute on."""
    gone = both_loads({Urgency.AGAIN: pace}, register_every=0.4)
    assert min(gone.registrations(minute) for minute in (1, 2, 3, 4)) >= 145
    assert gone.longest_pause() < 3.0
    assert len(gone.calls[Urgency.AGAIN]) >= 4 * 60


@pytest.mark.parametrize("looks", [Urgency.AGAIN, Urgency.CONFIRM, Urgency.SWEEP])
def test_registrations_reach_full_flow_after_a_storm_of_looks_within_a_minute(looks: Urgency) -> None:
    """What looks have used before anybody registered is gone until its minute is over."""
    gone = both_loads({looks: 0.02}, register_every=0.4, wanted_from=150.0)
    assert min(gone.registrations(minute) for minute in (2, 3, 4)) >= 145
    assert gone.longest_pause(after=WINDOW_SECONDS) < 3.0


def test_a_few_registrations_slow_looks_down_a_little() -> None:
    """One every ten seconds: what is kept is what as many go on to ask for."""
    beside = both_loads({Urgency.AGAIN: 0.05}, register_every=10.0, minutes=3)
    alone = both_loads({Urgency.AGAIN: 0.05}, register_every=10_000.0, minutes=3)
    assert len(beside.calls[Urgency.AGAIN]) > 0.9 * len(alone.calls[Urgency.AGAIN])
    assert beside.registrations(2) == 6


def test_looks_are_as_quick_as_ever_once_nobody_registers_any_more() -> None:
    points = Points()
    for number in range(75):
        assert points.take(Urgency.CHANGE, 5, now=T + 0.4 * number) == 0.0
    at_the_end = T + 30.0
    beside = used_up_by(points, Urgency.AGAIN, now=at_the_end)
    assert 40 <= beside <= 50
    assert used_up_by(points, Urgency.AGAIN, now=at_the_end + 6.0) == 840 - 375 - beside
    assert used_up_by(points, Urgency.NAMED, now=at_the_end + 6.0) == 10


def test_beside_registrations_in_full_flow_some_named_looks_go_at_once() -> None:
    """They are the first that is known of new jobs, wherever the rest of the minute has gone."""
    points = Points()
    used_up_by(points, Urgency.SWEEP)
    for number in range(13):
        assert points.take(Urgency.CHANGE, 5, now=T + 0.4 * number) == 0.0
    assert used_up_by(points, Urgency.NAMED, now=T + 5.0) == 60
    assert points.take(Urgency.CHANGE, 5, now=T + 5.0) == 0.0


def test_who_waits_for_points_that_are_kept_asks_again_soon() -> None:
    """The registrations may have ended long before the minute is over."""
    points = Points()
    used_up_by(points, Urgency.AGAIN)
    for number in range(13):
        assert points.take(Urgency.CHANGE, 5, now=T + 10.0 + 0.4 * number) == 0.0
    assert 0.0 < points.take(Urgency.CONFIRM, 1, now=T + 15.0) <= 2.0


@pytest.mark.parametrize(("urgent", "left"), [(Urgency.NAMED, 150), (Urgency.CHANGE, 60)])
def test_while_somebody_urgent_found_no_room_a_sweep_takes_little(urgent: Urgency, left: int) -> None:
    """It comes again within a minute, and finds room then."""
    points = Points()
    used_up_by(points, Urgency.SWEEP)
    used_up_by(points, urgent, now=T + 1.0)
    later = T + WINDOW_SECONDS + 0.5
    assert used_up_by(points, Urgency.SWEEP, now=later) == left
    assert used_up_by(points, Urgency.CHANGE, cost=5, now=later) >= 100
    assert used_up_by(points, Urgency.SWEEP, now=later + 2 * WINDOW_SECONDS) == 710


def test_after_a_pause_a_sweep_goes_evenly_and_others_at_once() -> None:
    points = Points()
    points.go_evenly(until=T + 60.0)
    assert points.take(Urgency.SWEEP, 1, now=T) == 0.0
    wait = points.take(Urgency.SWEEP, 1, now=T)
    assert 0.08 < wait < 0.09
    assert points.take(Urgency.SWEEP, 1, now=T + wait + 0.001) == 0.0
    assert used_up_by(points, Urgency.NAMED) > 100
    later = T + WINDOW_SECONDS
    assert [points.take(Urgency.SWEEP, 1, now=later + 0.001 * n) for n in range(3)] == [0.0] * 3
