"""The faults of jobs and their runners in the stand-in GitHub: the pure world, each on and off."""

import pytest

from emulator.github.faults import IN_THE_RUNNER, Fault, strokes_in_the_runner
from emulator.github.jobs import JobStatus
from emulator.github.refusals import BrokerRefusal, RestRefusal
from emulator.github.runners import Registration, RegistrationState
from tests.emulator_github_world import FakeJob, PureWorld


def everyone(github: PureWorld) -> list[Registration]:
    return list(github.world.runners.every())


def test_a_busy_runner_is_deleted_told_and_its_job_ends_when_the_runner_says_so() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    registration = github.listening(instance="i-1")
    github.assign()
    job = github.acquire(registration)
    github.switch_on("busy-deleted=share=1,most=1")
    github.world.runners.delete(registration.id, registration.scope, now=github.now)
    assert everyone(github) == []
    with pytest.raises(BrokerRefusal) as told:
        github.world.runners.with_id(registration.id)
    assert told.value.body["errorKind"] == "RunnerNotFound"
    assert github.world.work.busy_instances() == {"i-1"}
    github.complete(job, "cancelled")
    assert [one.conclusion for one in github.jobs(run)] == ["cancelled"]
    assert registration.state is RegistrationState.DELETED
    other = github.listening("other")
    github.push()
    github.assign()
    with pytest.raises(RestRefusal):
        github.world.runners.delete(other.id, other.scope, now=github.now)
    assert github.struck(Fault.BUSY_DELETED) == 1


def test_a_runner_that_was_deleted_before_it_acquired_its_job_stays_deleted_when_the_job_is_queued_again() -> (
    None
):
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    registration = github.listening()
    github.assign()
    github.switch_on("busy-deleted")
    github.world.runners.delete(registration.id, registration.scope, now=github.now)
    github.pass_time(60)
    assert registration.state is RegistrationState.DELETED
    assert [(job.status, job.runner) for job in github.jobs(run)] == [(JobStatus.QUEUED, None)]


def test_a_job_that_is_cancelled_before_its_runner_acquires_it_makes_a_ghost() -> None:
    """404, 409 and 422 all occur; the registration is consumed, its listener is not told."""
    seen = set()
    for seed in range(12):
        github = PureWorld(FakeJob(key="build"), seed=seed)
        run = github.push()
        ghost = github.listening("ghost")
        github.assign()
        github.switch_on("cancelled-before-pick-up")
        with pytest.raises(BrokerRefusal) as refused:
            github.acquire(ghost)
        seen.add(refused.value.status)
        [job] = github.jobs(run)
        assert (job.status, job.conclusion, job.acquired) == (JobStatus.COMPLETED, "cancelled", 0)
        assert everyone(github) == []
        assert github.world.runners.with_id(ghost.id).state is RegistrationState.CONSUMED
        github.push()
        github.assign()
        assert not ghost.is_busy
        assert github.struck(Fault.CANCELLED_BEFORE_PICK_UP) == 1
    assert seen == {404, 409, 422}


def test_a_running_job_is_cancelled_by_a_user_and_its_runner_is_told() -> None:
    github = PureWorld(FakeJob(key="build"), FakeJob(key="quick"))
    run = github.push()
    github.switch_on("cancelled-by-user=30")
    registration, other = github.listening("one"), github.listening("two")
    github.assign()
    job, quick = github.acquire(registration), github.acquire(other)
    github.complete(quick)
    github.world.work.take_called()
    assert github.world.work.next_deadline() == github.now + 30
    github.pass_time(29)
    assert github.world.work.take_called() == []
    github.pass_time(1)
    assert registration.session is not None
    assert registration.session.cancellation == job.uuid
    assert github.world.work.take_called() == [registration]
    github.complete(job, "cancelled")
    assert {one.key: one.conclusion for one in github.jobs(run)} == {
        job.key: "cancelled",
        quick.key: "success",
    }
    assert github.struck(Fault.CANCELLED_BY_USER) == 2


def test_a_lost_assignment_is_never_told_and_the_job_goes_to_another_after_a_minute() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    ghost = github.listening("ghost", instance="i-1")
    github.switch_on("assignment-lost=share=1,most=1")
    github.assign()
    assert ghost.is_busy
    assert ghost.session is not None
    assert ghost.session.assignment is None
    assert github.world.work.take_called() == []
    assert github.world.work.busy_instances() == {"i-1"}
    github.pass_time(60)
    assert everyone(github) == []
    second = github.listening("second")
    github.assign()
    job = github.acquire(second)
    assert (job.attempts, job.acquired) == (2, 1)
    assert github.struck(Fault.ASSIGNMENT_LOST) == 1


def test_an_idle_runner_is_removed_and_told_while_a_busy_one_is_not() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.switch_on("idle-runner-removed=seconds=120,spread_seconds=0")
    busy, idle = (
        github.listening("busy", labels=("self-hosted", "gpu")),
        github.listening("idle", labels=("x",)),
    )
    github.push()
    github.assign()
    assert busy.is_busy
    github.world.work.take_called()
    github.acquire(busy)
    assert github.world.work.next_deadline() == github.now + 120
    github.pass_time(119.9)
    assert everyone(github) == [busy, idle]
    github.pass_time(0.1)
    assert everyone(github) == [busy]
    assert github.world.work.take_called() == [idle]
    with pytest.raises(BrokerRefusal) as told:
        github.world.runners.with_id(idle.id)
    assert told.value.body["errorKind"] == "RunnerNotFound"
    assert github.world.work.next_deadline() == github.now + 480


def test_the_removal_of_an_idle_runner_comes_at_different_times() -> None:
    github = PureWorld()
    github.switch_on("idle-runner-removed")
    begin = github.now
    for number in range(30):
        github.listening(f"runner-{number}")
    moments = []
    while everyone(github):
        due = github.world.work.next_deadline()
        assert due is not None
        github.pass_time(due - github.now)
        moments.append(due - begin)
    assert len(moments) == 30
    assert min(moments) >= 120
    assert 240 < max(moments) <= 360


@pytest.mark.parametrize("fault", ["version-unserved", "version-refused"])
def test_a_runner_that_is_too_old_registers_and_gets_no_job(fault: str) -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    github.switch_on(f"{fault}=share=1,most=1")
    old = github.listening("old")
    github.assign()
    assert not old.is_busy
    assert github.world.runners.is_online(old, now=github.now)
    assert old.session is not None
    assert old.session.refused is (fault == "version-refused")
    new = github.listening("new")
    github.assign()
    assert new.is_busy
    assert github.struck(Fault(fault)) == 1


def test_a_job_is_given_to_nobody_for_a_while_although_runners_listen() -> None:
    github = PureWorld(FakeJob(key="barred"), FakeJob(key="open"))
    github.switch_on("job-unassignable=seconds=600,share=1,most=1")
    run = github.push()
    registration, other = github.listening("one"), github.listening("two")
    github.assign()
    assert [job.runner is not None for job in github.jobs(run)] == [False, True]
    [given] = [one for one in (registration, other) if one.is_busy]
    github.complete(github.acquire(given))
    assert github.world.work.next_deadline() == github.now + 600
    github.pass_time(599.9)
    assert github.jobs(run)[0].runner is None
    github.pass_time(0.1)
    assert github.jobs(run)[0].runner is not None
    assert github.world.work.next_deadline() == github.now + 60
    assert github.struck(Fault.JOB_UNASSIGNABLE) == 1


def test_acquired_counts_how_often_the_steps_were_handed_out() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    assert [job.acquired for job in github.jobs(run)] == [0]
    registration = github.listening()
    github.assign()
    job = github.acquire(registration)
    github.complete(job)
    assert [one.acquired for one in github.jobs(run)] == [1]


def test_what_goes_wrong_in_a_runner_is_decided_when_it_acquires_a_job() -> None:
    github = PureWorld()
    strokes = [strokes_in_the_runner(github.world.faults)]
    github.switch_on("runner-dies=seconds=3,most=1", "forged-lines=share=1,after=1")
    strokes += [strokes_in_the_runner(github.world.faults) for _ in range(2)]
    assert strokes == [{}, {"runner-dies": {"seconds": 3}}, {"forged-lines": {}}]


@pytest.mark.parametrize("fault", IN_THE_RUNNER)
def test_every_fault_of_the_runner_is_handed_out_with_its_numbers(fault: Fault) -> None:
    github = PureWorld()
    github.switch_on(fault)
    [(name, numbers)] = strokes_in_the_runner(github.world.faults).items()
    assert name == fault.value
    assert numbers == ({"seconds": 2} if fault in (Fault.RUNNER_DIES, Fault.RUNNER_OUT_OF_MEMORY) else {})
    assert github.struck(fault) == 1
