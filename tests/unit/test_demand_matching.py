"""Which queued jobs are demand, and of which pool."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scaler.core.demand import (
    LISTS_LAG_SECONDS,
    covers_a_queued_job,
    queued_by_pool,
    serving_pool,
    started_jobs,
)
from scaler.core.model import LeaseState, PoolPolicy
from tests.factories import NOW, a_job, a_pool, demand, jobs, lease_seen

LINUX = a_pool(name="linux", labels={"self-hosted", "linux"})
LARGE = a_pool(name="large", labels={"self-hosted", "linux", "large"})
WIDE = a_pool(name="wide", labels={"linux", "gpu"}, public_repositories=True)
TWIN = a_pool(name="twin", labels={"linux", "gpu"}, priority=1)
POOLS = (LINUX, LARGE, WIDE)


@pytest.mark.parametrize(
    ("labels", "pools", "served_by"),
    [
        pytest.param({"linux"}, POOLS, "linux", id="of equal pools the first by name"),
        pytest.param({"self-hosted", "linux"}, POOLS, "linux", id="the pool with the fewest other labels"),
        pytest.param({"large"}, POOLS, "large", id="one label can decide"),
        pytest.param({"gpu", "linux"}, POOLS, "wide", id="all labels of the pool"),
        pytest.param({"gpu", "large"}, POOLS, None, id="no pool has both"),
        pytest.param({"windows"}, POOLS, None, id="a label nobody has"),
        pytest.param(set(), POOLS, None, id="no labels, no match"),
        pytest.param({"gpu"}, (WIDE, TWIN), "twin", id="then priority"),
        pytest.param({"gpu"}, (), None, id="no pools"),
    ],
)
def test_a_job_belongs_to_the_most_specific_pool(
    labels: set[str], pools: Iterable[PoolPolicy], served_by: str | None
) -> None:
    """All labels of the job are among the pool's."""
    pool = serving_pool(a_job(labels=labels), pools)
    assert (None if pool is None else pool.name) == served_by


def test_jobs_of_public_repositories_are_only_for_pools_that_say_so() -> None:
    """A stranger's pull request must not reach a company's runners by default."""
    assert serving_pool(a_job(labels={"large"}, public=True), POOLS) is None
    assert serving_pool(a_job(labels={"linux"}, public=True), POOLS) is WIDE


def test_each_job_counts_once_for_one_pool_and_the_oldest_comes_first() -> None:
    """Also when two pools could serve it."""
    old, new = a_job(number=2, queued_at=NOW - 60), a_job(number=1, queued_at=NOW - 10)
    queued = queued_by_pool(POOLS, demand(new, old), ())
    assert queued == {"linux": (old, new), "large": (), "wide": ()}


def test_a_job_that_is_known_to_run_is_not_queued() -> None:
    """By a lease, or by any reading that shows it in progress."""
    known = demand(*jobs(3), running={7: 2})
    queued = queued_by_pool([LINUX], known, started_jobs(known, [lease_seen(job_id=1)]))
    assert [job.id for job in queued["linux"]] == [3]


@pytest.mark.parametrize(
    ("state", "covers"),
    [
        (LeaseState.UNKNOWN, True),
        (LeaseState.STARTING, True),
        (LeaseState.LISTENING, True),
        (LeaseState.DYING, False),
        (LeaseState.SILENT, False),
    ],
)
def test_a_lease_covers_one_queued_job_while_it_may_still_take_it(state: LeaseState, covers: bool) -> None:
    """However old the reading."""
    for read_at in (NOW - 1_000.0, NOW + 1_000.0):
        assert covers_a_queued_job(lease_seen(state), read_at=read_at) is covers


@pytest.mark.parametrize("state", [LeaseState.RUNNING, LeaseState.COMPLETED])
def test_a_lease_with_its_job_covers_a_queued_one_until_the_lists_must_show_it(state: LeaseState) -> None:
    """GitHub's lists lag; a reading begun later than that is believed."""
    lease = lease_seen(state, since=NOW)
    assert covers_a_queued_job(lease, read_at=NOW + LISTS_LAG_SECONDS - 0.1)
    assert not covers_a_queued_job(lease, read_at=NOW + LISTS_LAG_SECONDS)


@pytest.mark.parametrize("state", list(LeaseState))
def test_a_lease_whose_job_is_known_covers_no_other(state: LeaseState) -> None:
    """That job is not in the queue any more."""
    assert not covers_a_queued_job(lease_seen(state, job_id=1), read_at=NOW)
