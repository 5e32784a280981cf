"""The waits under an all-knowing scaler, against small cases done by hand: start 12 s, registration 6 s, restart 4 s."""

from __future__ import annotations

import time

import pytest

from simulator.assumptions import Assumptions
from simulator.floor import wait_floors
from simulator.generators import generated
from simulator.outcome import percentile
from simulator.trace import TraceJob


def floors(*queued: float, duration: float = 100.0, **assumed: float) -> list[float]:
    """The floors of jobs of one duration that are queued at those moments."""
    trace = [TraceJob(queued_at=at, duration=duration) for at in queued]
    return list(wait_floors(trace, Assumptions(**assumed)))  # type: ignore[arg-type]


def test_a_job_alone_waits_for_a_start_and_a_registration() -> None:
    assert floors(0) == [18]


def test_jobs_beyond_max_wait_for_an_end_a_restart_and_a_registration() -> None:
    """The first runs from 18 to 118, the second from 128 to 228, the third from 238."""
    assert floors(0, 0, 0, max_runners=1) == [18, 128, 238]


def test_a_container_that_restarts_too_slowly_is_replaced_by_a_new_one() -> None:
    assert floors(0, 0, max_runners=1, restart=30) == [18, 118 + 12 + 6]


@pytest.mark.parametrize(
    ("queued", "wait"),
    [
        (100.0, 18.0),  # it ends at 118: later than a new one is up
        (109.0, 18.0),  # back in 13 s, a new one takes 12
        (112.0, 16.0),  # back in 10 s
        (118.0, 10.0),
        (120.0, 8.0),
        (122.0, 6.0),  # back in this moment
        (122.5, 18.0),  # gone
    ],
)
def test_an_instance_whose_job_ends_is_taken_if_it_is_back_sooner_than_a_new_one(
    queued: float, wait: float
) -> None:
    assert floors(0, queued) == [18, wait]


def test_of_two_that_are_ready_at_once_the_next_job_is_left_the_one_that_does_not_hang_on_it() -> None:
    """At 110 a new one is up in 12 s, and so is the one that is back at 122, of which the job of 115 has more."""
    assert floors(0, 110, 115) == [18, 18, 122 + 6 - 115]


def test_registrations_beyond_the_bucket_wait_for_the_minute_to_pass() -> None:
    """Two register at 12, the next two at 72, the fifth at 132."""
    assert floors(0, 0, 0, 0, 0, registrations_per_minute=2) == [18, 18, 78, 78, 138]


def test_the_bucket_counts_any_sixty_seconds() -> None:
    """Registrations at 12 and 42; the third may go at 72, the fourth at 102."""
    assert floors(0, 30, 31, 32, registrations_per_minute=2) == [18, 18, 72 + 6 - 31, 102 + 6 - 32]


def test_who_finds_a_warm_instance_waits_for_the_registration_alone() -> None:
    assert floors(0, 0, 0, warm=2) == [6, 6, 18]


def test_a_warm_instance_that_was_taken_is_replaced_at_once() -> None:
    """Its replacement begins at 0 and is up at 12: ready for the job of 10 in 2 s, and the next one's at 22."""
    assert floors(0, 10, 22, warm=1) == [6, 8, 6]


def test_an_instance_that_is_back_stays_warm_if_there_are_too_few() -> None:
    """With one runner at most nothing can be begun beside it; it is back at 110 and waits."""
    assert floors(0, 500, warm=1, max_runners=1) == [6, 6]


def test_no_more_than_warm_stay() -> None:
    """Three are back by 122, one stays beside the one that was begun in place of the first."""
    assert floors(0, 0, 0, 500, 500, 500, warm=1) == [6, 18, 18, 6, 18, 18]


@pytest.mark.parametrize("assumed", [{"max_runners": 0}, {"registrations_per_minute": 0}])
def test_a_world_in_which_no_job_ever_runs_has_no_floor(assumed: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no job ever runs"):
        floors(0, **assumed)


def test_a_day_of_a_company_has_the_start_and_the_registration_as_its_floor_within_seconds() -> None:
    begun = time.process_time()
    waits = wait_floors(generated("company", 1), Assumptions())
    assert time.process_time() - begun < 3
    assert percentile(waits, 0.95) == 18


def test_five_warm_instances_spare_most_jobs_of_a_team_the_start() -> None:
    waits = wait_floors(generated("team", 1), Assumptions(warm=5))
    assert percentile(waits, 0.5) == pytest.approx(6)


def test_the_incident_of_309_jobs_waits_for_registrations_and_then_for_ends() -> None:
    """150 register at once, 150 a minute later, and nine find no instance among 300."""
    waits = sorted(wait_floors(generated("tsz", 1), Assumptions()))
    assert waits[149] == 18
    assert waits[150] == waits[299] == 78
    assert waits[300] > 300
