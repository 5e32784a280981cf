"""A lease in a cell's record: how a higher ask replaces it, what ends it, and what stays behind for later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.obstacles import (
    OBSTACLES_KEPT,
    WORDS_CHARACTERS_MOST,
    Obstacle,
    ObstacleMet,
    obstacle_met,
)
from cell_records.record import (
    ENDED_BOOTS_KEPT,
    CellRecord,
    Ghost,
    Lease,
    Refusal,
    closed,
    ended,
    job_completed,
    job_known,
    leased,
    opened,
    orphaned,
    registered,
    registration_refused,
    timed_out,
    voided,
    zero_confirmed,
)
from tests.factories import NOW, a_lease, a_record, an_obstacle, made, refusal
from tests.record_parts import LEASE, SERVING, SETTLE, end, lease_to


def test_a_higher_ask_replaces_the_older_lease_and_leaves_its_registration_to_be_cleared() -> None:
    """The boot has promised never to use the older one; a job cannot be on it."""
    after = made(lease_to(a_record(leases=[a_lease(runner_id=7)]), lease_id="lease-2", ask=2, room=1))
    assert [lease.id for lease in after.leases] == ["lease-2"]
    assert after.ghosts == (Ghost(runner_name="runner-of-lease-1", runner_id=7, since=NOW),)


def test_a_higher_ask_voids_the_older_lease() -> None:
    """Parking again frees the cell before the next start."""
    after = made(voided(a_record(leases=[LEASE]), boot="boot-1", ask=2, now=NOW))
    assert not after.leases
    assert [ghost.runner_name for ghost in after.ghosts] == ["runner-of-lease-1"]
    assert made(lease_to(after, lease_id="lease-2", ask=2)).lease_of("boot-1") is not None


@pytest.mark.parametrize("lease", [a_lease(ask=2), a_lease(ask=1, dying_until=NOW + 5)])
def test_an_ask_that_is_not_higher_or_a_dying_lease_voids_nothing(lease: Lease) -> None:
    """Late and doubled polls must not take a lease away."""
    record = a_record(leases=[lease])
    assert made(voided(record, boot="boot-1", ask=2, now=NOW)) == record


def test_a_boot_that_has_ended_stays_retired_until_the_next_zero() -> None:
    """After that its age retires it."""
    after = made(end(a_record(leases=[LEASE])))
    assert refusal(lease_to(after, lease_id="lease-2", ask=9)) is Refusal.BOOT_RETIRED
    zeroed = made(zero_confirmed(made(closed(after)), count=0, settled=True, now=NOW))
    reopened = made(opened(zeroed, now=NOW + SETTLE + 1, settle_seconds=SETTLE))
    late = leased(
        reopened, a_lease(lease_id="lease-3", ask=9), uptime_seconds=200.0, room=4, now=NOW + SETTLE + 2
    )
    assert not zeroed.ended_boots
    assert refusal(late) is Refusal.BOOT_RETIRED


def test_only_so_many_ended_boots_are_kept() -> None:
    """A cell that never closes keeps a bounded record, and forgets the oldest."""
    record = a_record(ended_boots=[f"old-{number}" for number in range(ENDED_BOOTS_KEPT)], leases=[LEASE])
    after = made(end(record))
    assert len(after.ended_boots) == ENDED_BOOTS_KEPT
    assert after.ended_boots[-1] == "boot-1"
    assert "old-0" not in after.ended_boots


def test_an_end_without_a_served_job_leaves_a_registration_to_be_cleared() -> None:
    """GitHub consumes a registration only with a job."""
    record = a_record(leases=[a_lease(runner_id=7)])
    after = made(ended(record, lease_id="lease-1", boot="boot-1", close=False, job_served=False, now=NOW))
    assert after.ghosts == (Ghost(runner_name="runner-of-lease-1", runner_id=7, since=NOW),)
    assert not made(end(record)).ghosts


@pytest.mark.parametrize(
    ("lease", "goes"),
    [
        (a_lease(hard_end=NOW - 1), True),
        (a_lease(hard_end=NOW), False),
        (a_lease(hard_end=NOW + 1), False),
        (a_lease(dying_until=NOW - 1), True),
        (a_lease(dying_until=NOW), False),
        (a_lease(dying_until=NOW + 1), False),
    ],
)
def test_a_lease_times_out_after_its_hard_end_or_its_last_moment_and_not_before(
    lease: Lease, goes: bool
) -> None:
    """Witness 3, and preempted instances."""
    after = timed_out(a_record(leases=[lease]), now=NOW)
    assert (not after.leases) is goes
    assert after.ended_boots == (("boot-1",) if goes else ())


def test_a_completed_job_retires_boot_and_lease_and_leaves_no_registration() -> None:
    """Witness 2."""
    after = made(
        job_completed(a_record(leases=[SERVING]), lease_id="lease-1", job_id=70, runner_id=7, now=NOW)
    )
    assert not after.leases
    assert not after.ghosts
    assert refusal(lease_to(after, lease_id="lease-2", ask=9)) is Refusal.BOOT_RETIRED


def test_a_registration_and_a_job_are_noted_once() -> None:
    """What is needed later to ask GitHub."""
    record = made(registered(a_record(leases=[LEASE]), lease_id="lease-1", runner_id=7))
    record = made(job_known(record, lease_id="lease-1", runner_id=7, job_id=70, repository="acme/widgets"))
    assert record.lease("lease-1") == replace(SERVING, runner_name="runner-of-lease-1")


def test_a_registration_that_came_too_late_is_a_ghost_with_its_id_once() -> None:
    """Also when its name was noted before without an id, or cleared meanwhile."""
    known = a_record(ghosts=[Ghost(runner_name="late", runner_id=None, since=NOW - 200.0)])
    for record in (a_record(), known):
        after = orphaned(record, runner_name="late", runner_id=7, now=NOW)
        assert after.ghosts == (Ghost(runner_name="late", runner_id=7, since=NOW),)
        assert orphaned(after, runner_name="late", runner_id=7, now=NOW + 1.0) == after


def the_end(*, job_served: bool = False, had_job: bool = False, met: ObstacleMet | None = None) -> CellRecord:
    """The record after the end of its one lease, which met something or had a job."""
    return made(
        ended(
            a_record(leases=[LEASE], served_at=NOW - 5_000.0),
            lease_id="lease-1",
            boot="boot-1",
            close=False,
            job_served=job_served,
            had_job=had_job,
            met=met,
            now=NOW + 60.0,
        )
    )


def test_an_end_without_a_job_leaves_what_kept_it_from_one() -> None:
    """For whoever decides next, in whatever process."""
    after = the_end(met=an_obstacle())
    assert (after.obstacles, after.served_at) == ((an_obstacle(),), NOW - 5_000.0)
    assert the_end().obstacles == ()


@pytest.mark.parametrize(("job_served", "had_job"), [(True, False), (False, True)])
def test_an_end_with_a_job_shows_that_leases_begun_by_then_could_have_one(
    job_served: bool, had_job: bool
) -> None:
    """Also a job that was stopped or lost: GitHub gave it."""
    after = the_end(job_served=job_served, had_job=had_job, met=an_obstacle())
    assert (after.obstacles, after.served_at) == ((), LEASE.started_at)


def test_a_job_that_github_calls_completed_shows_it_too() -> None:
    """Its instance may never have said so."""
    record = a_record(leases=[SERVING])
    after = job_completed(record, lease_id="lease-1", job_id=70, runner_id=7, now=NOW + 60.0)
    assert made(after).served_at == SERVING.started_at


def test_a_refused_registration_is_noted_once_and_its_lease_stays() -> None:
    """Only its own boot voids it."""
    met = an_obstacle(obstacle=Obstacle.REGISTRATION_REFUSED)
    after = registration_refused(a_record(leases=[LEASE]), met)
    assert (after.obstacles, after.leases) == ((met,), (LEASE,))
    assert registration_refused(after, replace(met, at=NOW + 9.0)) == after


def test_a_record_keeps_the_last_few_obstacles_in_few_words() -> None:
    """A pool that never gets well must not grow its records."""
    record = a_record()
    for number in range(OBSTACLES_KEPT + 3):
        words = f"it failed\nwith {'x' * 900}"
        met = obstacle_met(f"lease-{number}", Obstacle.RUNNER_FAILED, at=NOW, words=words)
        record = registration_refused(record, met)
    assert [each.lease for each in record.obstacles] == [f"lease-{3 + n}" for n in range(OBSTACLES_KEPT)]
    assert len(record.obstacles[0].words) == WORDS_CHARACTERS_MOST
    assert "\n" not in record.obstacles[0].words
