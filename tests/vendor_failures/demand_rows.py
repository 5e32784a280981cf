"""GitHub's lists of runs and jobs: what a poller reads out of them that is not there, or does not read that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cell_records.record import CellRecord, Ghost
from github_api import client
from github_api.values import Job, JobStatus
from scaler import cell_keeper, demand_watch
from scaler.core import decide as deciding
from scaler.core import demand as matching
from scaler.core import need, shrinking, unservable
from scaler.core.decide import decide
from scaler.core.model import (
    DemandSeen,
    LeaseSeen,
    LeaseState,
    Memory,
    PoolPolicy,
    QueuedJob,
    Reason,
    Seen,
)
from scaler.core.taken import Covered
from scaler.demand_watch import DemandWatch
from scaler.registrar import Registrar
from scaler.run_lists import RunLists
from tests.factories import (
    NOW,
    REPOSITORY,
    a_cell,
    a_job,
    a_policy,
    a_pool,
    a_record,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)
from tests.github_replies import API, github_world, job, page
from tests.scaler_parts import a_github_job
from tests.unit.test_cell_keeper import LISTENING, KeeperWorld
from tests.unit.test_decide_unservable import Pool, after_the_back_off, left_out
from tests.unit.test_scaler_demand_watch import Watched
from tests.vendor_failures.row import Row, patched

LATER = NOW + 100.0


def closes(*looks: DemandSeen) -> bool:
    """Whether one of these looks, a linger and more apart, closes a cell that nothing needs."""
    memory = Memory()
    for number, look in enumerate(looks):
        facts: Seen = seen(an_open_cell("a", parked=1), demand=look, at=NOW + 100.0 * number)
        made, memory = decide(a_policy(), facts, memory)
        if made.closes:
            return True
    return False


async def queued_jobs_in_running_runs() -> None:
    it = Watched()
    it.github.runs = {(REPOSITORY, "in_progress"): (8,)}
    it.github.jobs = {8: (a_github_job(1, JobStatus.IN_PROGRESS, runner_id=41), a_github_job(2))}
    await it.watch.sweep()
    assert it.queued() == [2]


async def jobs_not_runs() -> None:
    it = Watched()
    it.github.holds(*(a_github_job(number) for number in range(1, 6)))
    await it.watch.sweep()
    facts = seen(a_cell("a", size=10), demand=it.watch.seen())
    (picture,) = decide(a_policy(), facts, Memory())[0].pools
    assert picture.wanted == 5


def first_job_only(watch: DemandWatch, repository: str, found: list[Job], **how: Any) -> None:
    """A run counts as one."""
    TAKE(watch, repository, found[:1], **how)


TAKE = DemandWatch._take


def one_empty_reading() -> None:
    once = demand(at=NOW)
    assert not closes(once, once, once)
    assert closes(once, demand(at=LATER))


async def empty_lists_in_an_incident() -> None:
    it = Watched()
    it.github.holds(a_github_job(1))
    it.github.single[1] = a_github_job(1)
    await it.watch.sweep()
    it.github.holds()
    it.clock.now += 60.0
    await it.watch.sweep()
    assert it.queued() == [1]
    assert REPOSITORY in it.watch.faults


async def fresh_run_without_jobs() -> None:
    it = Watched()
    await it.watch.sweep()
    first = it.watch.seen()
    it.github.runs = {(REPOSITORY, "queued"): (7,)}
    it.clock.now = LATER
    await it.watch.sweep()
    assert not closes(first, it.watch.seen())


def lists_lag_behind_a_start() -> None:
    just_started = lease_seen(LeaseState.RUNNING, since=NOW - 20.0)
    facts = seen(an_open_cell("a", leases=[just_started]), a_cell("b"), demand=demand(*jobs(1)))
    assert decide(a_policy(), facts, Memory())[0].raises == ()


def lists_lag_behind_an_end() -> None:
    runs = seen(
        an_open_cell("a", leases=[lease_seen(LeaseState.RUNNING, since=NOW)]),
        a_cell("b"),
        demand=demand(*jobs(1)),
    )
    _, memory = decide(a_policy(), runs, Memory())
    over = seen(
        an_open_cell("a", parked=1), a_cell("b"), demand=demand(*jobs(1), at=NOW + 30.0), at=NOW + 30.0
    )
    decision, _ = decide(a_policy(), over, memory)
    assert (decision.grants, decision.raises) == ((), ())


def covers_only_while_it_stands(*_: object, **__: object) -> Covered:
    """What a lease that is over has done is forgotten."""
    return Covered()


def covers_only_while_it_waits(lease: LeaseSeen, *, read_at: float) -> bool:
    """The list is believed."""
    return lease.state in (LeaseState.STARTING, LeaseState.LISTENING)


async def all_labels_in_any_case() -> None:
    it = Watched()
    it.github.holds(
        a_github_job(1, labels=("Self-Hosted", "LINUX")),
        a_github_job(2, labels=("linux", "gpu")),
        a_github_job(3, labels=()),
    )
    await it.watch.sweep()
    found = matching.queued_by_pool([a_pool()], it.watch.seen(), ())
    assert [each.id for each in found["linux"]] == [1]


def one_label_is_enough(queued: QueuedJob, pools: Iterable[PoolPolicy]) -> PoolPolicy | None:
    """Labels are compared loosely, or not at all."""
    return next((pool for pool in pools if not queued.labels or queued.labels & pool.labels), None)


def jobs_no_runner_may_have() -> None:
    pool = Pool()
    pool.in_vain("first")
    made = pool.in_vain("second")
    assert left_out(made)
    assert made.limits[0].reason is Reason.UNSERVABLE
    assert not pool.look().grants


def runners_that_listen_and_get_nothing() -> None:
    """Of no repository: one lease at a time shows whether that has changed, however many jobs wait."""
    assert after_the_back_off("acme/a", "acme/b") == 1


def jobs_of_public_repositories() -> None:
    stranger = a_job(public=True)
    assert matching.serving_pool(stranger, [a_pool()]) is None
    assert matching.serving_pool(stranger, [a_pool(public_repositories=True)]) is not None


def whoever_asks(queued: QueuedJob, pools: Iterable[PoolPolicy]) -> PoolPolicy | None:
    """Public or not."""
    return MATCH(replace(queued, public=False), pools)


MATCH = matching.serving_pool


async def more_than_one_page() -> None:
    with github_world() as world:
        url = f"{API}/repos/acme/widgets/actions/runs/7/jobs"
        second = f"{url}?filter=latest&per_page=100&page=2"
        world.router.get(url=second).mock(return_value=page("jobs", [job(101)]))
        world.router.get(f"{url}?filter=latest&per_page=100").mock(
            return_value=page(
                "jobs",
                [job(number) for number in range(1, 101)],
                headers={"link": f'<{second}>; rel="next"'},
            )
        )
        assert len(await world.github.jobs_of_run("acme/widgets", 7)) == 101


def a_running_lease() -> KeeperWorld:
    """A lease whose runner GitHub has forgotten, with an instance that has not been heard of for long."""
    return KeeperWorld(a_record(leases=[LISTENING]))


async def lists_omit_live_runners() -> None:
    world = a_running_lease()
    for _ in range(20):
        await world.keep(after=300.0)
    assert world.leases == ["lease-1"]


def gone_from_the_list_is_gone(record: CellRecord, *, now: float) -> CellRecord:
    """No registration is listed, so the runner is over."""
    return replace(record, leases=())


async def busy_is_false_in_the_middle_of_a_job() -> None:
    world = KeeperWorld(
        a_record(leases=[LISTENING], ghosts=[Ghost(runner_name="gone", runner_id=9, since=NOW)])
    )
    assert LISTENING.runner_id is not None
    world.github.registered = {LISTENING.runner_id: LISTENING.runner_name, 9: "gone"}
    for _ in range(5):
        await world.keep(after=300.0)
    assert world.github.deleted == [9]


async def clear_all_that_look_idle(registrar: Registrar, cell: str, record: CellRecord) -> list[str]:
    """Offline and not busy by the list: remove it."""
    for runner in await registrar._github.runners():
        if not runner.busy and runner.status == "offline":
            await registrar._github.delete_runner(runner.id)
    return []


ROWS = (
    Row(
        name="queued-jobs-in-running-runs",
        holds=queued_jobs_in_running_runs,
        without=patched(demand_watch, "RUN_STATUSES", ("queued",)),
    ),
    Row(name="jobs-not-runs", holds=jobs_not_runs, without=patched(DemandWatch, "_take", first_job_only)),
    Row(
        name="one-empty-reading",
        holds=one_empty_reading,
        without=patched(shrinking, "_unconfirmed", lambda since, demand: set()),
    ),
    Row(
        name="empty-lists-in-an-incident",
        holds=empty_lists_in_an_incident,
        without=patched(RunLists, "witness", lambda *_, **__: None),
    ),
    Row(
        name="fresh-run-without-jobs",
        holds=fresh_run_without_jobs,
        without=patched(RunLists, "unsettled", lambda *_, **__: False),
    ),
    Row(
        name="lists-lag-behind-a-start",
        holds=lists_lag_behind_a_start,
        without=patched(need, "covers_a_queued_job", covers_only_while_it_waits),
    ),
    Row(
        name="lists-lag-behind-an-end",
        holds=lists_lag_behind_an_end,
        without=patched(deciding, "covered_by_gone", covers_only_while_it_stands),
    ),
    Row(
        name="all-labels-in-any-case",
        holds=all_labels_in_any_case,
        without=patched(matching, "serving_pool", one_label_is_enough),
    ),
    Row(
        name="jobs-no-runner-may-have",
        holds=jobs_no_runner_may_have,
        without=patched(unservable, "LEASES_IN_VAIN", 10**9),
    ),
    Row(
        name="runners-listen-and-get-nothing",
        holds=runners_that_listen_and_get_nothing,
        without=patched(unservable, "_serves", lambda *_, **__: True),
    ),
    Row(
        name="jobs-of-public-repositories",
        holds=jobs_of_public_repositories,
        without=patched(matching, "serving_pool", whoever_asks),
    ),
    Row(
        name="more-than-one-page",
        holds=more_than_one_page,
        without=patched(client, "next_page", lambda headers, *, base_url: None),
    ),
    Row(
        name="lists-omit-live-runners",
        holds=lists_omit_live_runners,
        without=patched(cell_keeper, "timed_out", gone_from_the_list_is_gone),
    ),
    Row(
        name="busy-is-false-mid-job",
        holds=busy_is_false_in_the_middle_of_a_job,
        without=patched(Registrar, "clear_ghosts", clear_all_that_look_idle),
    ),
)
