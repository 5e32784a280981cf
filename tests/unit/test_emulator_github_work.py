"""How the stand-in GitHub gives jobs away and takes them back: the pure world, with a clock that the test moves."""

import pytest

from emulator.github.accounts import RunnerGroup
from emulator.github.jobs import LOST_COMMUNICATION, JobStatus
from emulator.github.refusals import BrokerRefusal, ControlRefusal
from emulator.github.runners import Scope
from tests.emulator_github_world import EPOCH, FakeJob, PureWorld


@pytest.mark.parametrize(
    ("job_labels", "runner_labels", "fits"),
    [
        (("self-hosted",), ("self-hosted",), True),
        (("Self-Hosted", "LINUX"), ("self-hosted", "linux", "x64"), True),
        (("self-hosted", "gpu"), ("self-hosted",), False),
        (("self-hosted",), ("self-hosted", "gpu"), True),
        ((), ("self-hosted",), False),
    ],
)
def test_a_job_fits_when_its_labels_are_among_the_runners(
    job_labels: tuple[str, ...], runner_labels: tuple[str, ...], fits: bool
) -> None:
    """Case does not matter, more labels of the runner do not either, and no labels match nothing."""
    github = PureWorld(FakeJob(key="build", labels=job_labels))
    github.push()
    registration = github.listening(labels=runner_labels)
    github.assign()
    assert registration.is_busy is fits


@pytest.mark.parametrize(("group", "fits"), [("Default", True), ("default", True), ("big", False)])
def test_a_job_may_ask_for_a_group_instead_of_labels(group: str, fits: bool) -> None:
    github = PureWorld(FakeJob(key="build", labels=(), group=group))
    github.push()
    registration = github.listening()
    github.assign()
    assert registration.is_busy is fits


@pytest.mark.parametrize(
    ("private", "group", "fits"),
    [
        (True, RunnerGroup(id=0, name="big"), True),
        (True, RunnerGroup(id=0, name="big", repositories=frozenset({"widgets"})), True),
        (True, RunnerGroup(id=0, name="big", repositories=frozenset({"gadgets"})), False),
        (False, RunnerGroup(id=0, name="big"), False),
        (False, RunnerGroup(id=0, name="big", allows_public_repositories=True), True),
    ],
)
def test_a_runner_group_decides_which_repositories_it_serves(
    private: bool, group: RunnerGroup, fits: bool
) -> None:
    github = PureWorld(FakeJob(key="build"), private=private, groups=[group])
    github.push()
    [number] = [known.id for known in github.organization.groups.values() if known.name == "big"]
    registration = github.listening(group=number)
    github.assign()
    assert registration.is_busy is fits


def test_a_runner_of_a_repository_serves_only_that_repository() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    other = github.listening("other", scope=Scope(organization="acme", repository="gadgets"))
    own = github.listening("own", scope=Scope(organization="acme", repository="widgets"))
    github.assign()
    assert (other.is_busy, own.is_busy) == (False, True)


def test_only_a_runner_that_listens_is_given_a_job() -> None:
    """Registered is not enough, a session is not enough: a message poll must be open."""
    github = PureWorld(FakeJob(key="build"))
    github.push()
    registration = github.register()
    github.assign()
    assert not registration.is_busy
    github.listen(registration)
    assert registration.session is not None
    registration.session.polls = 0
    github.assign()
    assert not registration.is_busy
    registration.session.polls = 1
    github.assign()
    assert registration.is_busy


def test_any_matching_runner_may_get_the_job() -> None:
    """Not the oldest, not the newest: over many seeds every one of three is chosen."""
    chosen = set()
    for seed in range(30):
        github = PureWorld(FakeJob(key="build"), seed=seed)
        github.push()
        for name in ("one", "two", "three"):
            github.listening(name)
        github.assign()
        chosen |= {one.name for one in github.world.runners.every() if one.is_busy}
    assert chosen == {"one", "two", "three"}


def test_an_ephemeral_runner_gets_one_job_and_leaves_the_list_when_it_ends() -> None:
    github = PureWorld(FakeJob(key="a"), FakeJob(key="b"))
    run = github.push()
    registration = github.listening()
    github.assign()
    job = github.acquire(registration)
    assert [one.status for one in github.jobs(run)] == [JobStatus.IN_PROGRESS, JobStatus.QUEUED]
    assert list(github.world.runners.every()) == [registration]
    github.complete(job)
    github.pass_time(1)
    assert [one.status for one in github.jobs(run)] == [JobStatus.COMPLETED, JobStatus.QUEUED]
    assert list(github.world.runners.every()) == []


def test_a_job_that_nobody_picks_up_is_queued_again_and_the_registration_is_consumed() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    ghost = github.listening("ghost", instance="i-1")
    github.assign()
    github.pass_time(59.9)
    assert ghost.is_busy
    assert github.world.work.busy_instances() == {"i-1"}
    github.pass_time(0.2)
    [job] = github.jobs(run)
    assert (job.status, job.runner, job.attempts) == (JobStatus.QUEUED, None, 1)
    assert list(github.world.runners.every()) == []
    assert github.world.work.busy_instances() == frozenset()
    second = github.listening("second")
    github.assign()
    assert github.acquire(second).attempts == 2


def test_a_ghost_cannot_acquire_the_job_that_was_taken_back() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    ghost = github.listening("ghost")
    github.assign()
    assert ghost.session is not None
    old = ghost.session.assignment
    assert old is not None
    github.pass_time(61)
    with pytest.raises(BrokerRefusal) as refused:
        github.world.work.acquire(ghost, old, now=github.now)
    assert refused.value.status == 404
    assert ghost.session.assignment is None


def test_a_job_is_acquired_once() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    registration = github.listening()
    github.assign()
    assert registration.session is not None
    request_id = registration.session.assignment
    assert request_id is not None
    job = github.acquire(registration)
    with pytest.raises(BrokerRefusal) as again:
        github.world.work.acquire(registration, request_id, now=github.now)
    github.complete(job)
    with pytest.raises(BrokerRefusal) as afterwards:
        github.world.work.acquire(registration, request_id, now=github.now)
    assert (again.value.status, afterwards.value.status) == (409, 422)


def test_a_job_of_another_runner_cannot_be_acquired() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    holder = github.listening("holder")
    github.assign()
    assert holder.session is not None
    assert holder.session.assignment is not None
    with pytest.raises(BrokerRefusal) as refused:
        github.world.work.acquire(github.listening("thief"), holder.session.assignment, now=github.now)
    assert refused.value.status == 404


def test_a_job_fails_when_its_lock_expires() -> None:
    """Renewed, it lives ten minutes more; not renewed, the runner has lost communication."""
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    registration = github.listening(instance="i-1")
    github.assign()
    job = github.acquire(registration)
    github.pass_time(599)
    assert github.world.work.renew(job.uuid, job.plan_id, now=github.now) == github.now + 600
    github.pass_time(599)
    assert github.jobs(run)[0].status is JobStatus.IN_PROGRESS
    assert github.world.work.next_deadline() == github.now + 1
    github.pass_time(1)
    [lost] = github.jobs(run)
    assert (lost.conclusion, lost.message) == ("failure", LOST_COMMUNICATION)
    assert list(github.world.runners.every()) == []
    assert github.world.work.busy_instances() == frozenset()
    with pytest.raises(BrokerRefusal) as late:
        github.complete(job)
    assert late.value.status == 404
    assert run.progress.conclusion == "failure"


def test_jobs_that_need_others_begin_when_those_have_ended() -> None:
    github = PureWorld(FakeJob(key="build"), FakeJob(key="test", needs=("build",)))
    run = github.push()
    assert [job.name for job in github.jobs(run)] == ["build"]
    registration = github.listening()
    github.assign()
    github.complete(github.acquire(registration))
    assert [(job.name, job.status) for job in github.jobs(run)] == [
        ("build", JobStatus.COMPLETED),
        ("test", JobStatus.QUEUED),
    ]
    assert github.world.ledger.status_of(run) == ("in_progress", None)


def test_a_skipped_job_needs_no_runner() -> None:
    github = PureWorld(FakeJob(key="docs", conclusion="skipped"))
    run = github.push()
    [job] = github.jobs(run)
    assert (job.status, job.conclusion, job.runner) == (JobStatus.COMPLETED, "skipped", None)
    assert [event.action for event in github.world.ledger.take_events()] == ["completed"]


def test_events_tell_each_change_with_the_job_as_it_was() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    registration = github.listening()
    github.assign()
    github.complete(github.acquire(registration))
    told = [(event.action, event.job.status.value) for event in github.world.ledger.take_events()]
    assert told == [("queued", "queued"), ("in_progress", "in_progress"), ("completed", "completed")]
    assert github.world.ledger.take_events() == []


def test_fail_fast_cancels_the_queued_the_assigned_and_the_running_siblings() -> None:
    """Queued: over at once. Assigned: over, and the runner finds no job. Running: the runner is asked to stop."""
    github = PureWorld(
        FakeJob(key="bad", fail_fast_with=("running", "assigned", "queued")),
        FakeJob(key="running"),
        FakeJob(key="assigned"),
        FakeJob(key="queued"),
    )
    run = github.push()
    held = {}
    for name in ("bad", "running", "assigned"):
        registration = github.listening(name)
        github.assign()
        held[name] = registration
    jobs = {name: github.acquire(held[name]) for name in ("bad", "running")}
    waiting = held["assigned"].session
    assert waiting is not None
    request_id = waiting.assignment
    assert request_id is not None
    github.world.work.take_called()
    github.complete(jobs["bad"], "failure")
    seen = {job.key: (job.status.value, job.conclusion) for job in github.jobs(run)}
    assert seen == {
        "bad": ("completed", "failure"),
        "running": ("in_progress", None),
        "assigned": ("completed", "cancelled"),
        "queued": ("completed", "cancelled"),
    }
    assert github.world.work.take_called() == [held["running"]]
    assert held["running"].session is not None
    assert held["running"].session.cancellation == jobs["running"].uuid
    with pytest.raises(BrokerRefusal) as refused:
        github.world.work.acquire(held["assigned"], request_id, now=github.now)
    assert refused.value.status == 422
    github.complete(jobs["running"], "cancelled")
    assert github.world.ledger.status_of(run) == ("completed", "failure")


def test_two_jobs_that_expire_together_do_not_disturb_each_other() -> None:
    """The first one's end cancels the second, whose own deadline has passed as well: it must stay cancelled."""
    github = PureWorld(FakeJob(key="a", fail_fast_with=("b",)), FakeJob(key="b"))
    run = github.push()
    first = github.listening("first")
    github.assign()
    github.acquire(first)
    github.pass_time(550)
    github.listening("second")
    github.assign()
    github.pass_time(60)
    assert [(job.conclusion, job.started_at is None) for job in github.jobs(run)] == [
        ("failure", False),
        ("cancelled", True),
    ]


def test_a_push_with_an_unreadable_file_starts_nothing() -> None:
    github = PureWorld(FakeJob(key="build"))
    with pytest.raises(ControlRefusal) as refused:
        github.world.work.push(
            github.repository,
            workflows={"ci.yml": "", "broken.yml": ""},
            source=None,
            github_url="http://github.test",
            now=EPOCH,
        )
    assert refused.value.status == 422
    assert github.world.ledger.runs_of(github.repository) == []


def test_the_same_seed_makes_the_same_world() -> None:
    def story(seed: int) -> list[object]:
        github = PureWorld(*(FakeJob(key=f"job-{n}") for n in range(20)), seed=seed)
        run = github.push()
        for number in range(20):
            github.listening(f"runner-{number}")
        github.assign()
        return [(job.id, job.uuid, job.runner and job.runner.name) for job in github.jobs(run)]

    assert story(7) == story(7) != story(8)
