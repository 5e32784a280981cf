"""Who may go when GitHub's points of a minute are scarce."""

from __future__ import annotations

import pytest

from github_api.points import POINTS_A_MINUTE, WINDOW_SECONDS, Points, Urgency, points_of

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


@pytest.mark.parametrize("urgent", [Urgency.NAMED, Urgency.CHANGE])
def test_while_somebody_urgent_found_no_room_a_sweep_takes_little(urgent: Urgency) -> None:
    """It comes again within a minute, and finds room then."""
    points = Points()
    used_up_by(points, Urgency.SWEEP)
    used_up_by(points, urgent, now=T + 1.0)
    later = T + WINDOW_SECONDS + 0.5
    assert used_up_by(points, Urgency.SWEEP, now=later) == 150
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
