"""The faults of what the stand-in GitHub shows of runners, runs and jobs: the pure world, each on and off."""

from emulator.github.faults import Fault
from emulator.github.jobs import JobStatus, Run
from emulator.github.runners import Registration, Scope
from tests.emulator_github_world import FakeJob, PureWorld

ACME = Scope(organization="acme")


def listed(github: PureWorld) -> list[Registration]:
    return github.world.shown.runners(ACME, now=github.now)


def online_and_busy(github: PureWorld, registration: Registration) -> tuple[bool, bool]:
    return github.world.shown.state_of(registration, now=github.now)


def runs(github: PureWorld, status: str | None) -> list[Run]:
    return github.world.shown.runs(github.repository, status=status, keep=lambda _: True, now=github.now)


def statuses(github: PureWorld, run: Run) -> list[str]:
    return [job.status.value for job in github.world.shown.jobs_of(run, now=github.now)]


def test_without_faults_the_truth_is_shown() -> None:
    github = PureWorld(FakeJob(key="a"), FakeJob(key="b"))
    run = github.push()
    registration = github.listening()
    assert listed(github) == [registration]
    assert online_and_busy(github, registration) == (True, False)
    github.assign()
    assert online_and_busy(github, registration) == (True, True)
    github.acquire(registration)
    assert (runs(github, "queued"), runs(github, "in_progress")) == ([], [run])
    assert statuses(github, run) == ["in_progress", "queued"]
    assert github.world.faults.struck == {}


# ── runners ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lagging_list_shows_a_registration_late_and_one_that_is_gone_for_longer() -> None:
    """With `busy` as it was then; the registration itself is found and gone at once."""
    github = PureWorld(FakeJob(key="build"))
    github.switch_on("runner-list-lag=30")
    registration = github.listening()
    github.pass_time(29)
    assert listed(github) == []
    assert github.world.runners.find(registration.id, ACME) is registration
    github.pass_time(1)
    assert listed(github) == [registration]
    github.push()
    github.assign()
    github.pass_time(40)
    github.complete(github.acquire(registration))
    github.pass_time(29)
    assert listed(github) == [registration]
    assert online_and_busy(github, registration)[1] is True
    github.pass_time(1)
    assert listed(github) == []
    assert github.struck(Fault.RUNNER_LIST_LAG) == 2


def test_entries_are_missing_in_an_incomplete_list_and_the_next_one_differs() -> None:
    github = PureWorld()
    everyone = [github.register(f"runner-{number}") for number in range(40)]
    github.switch_on("runner-list-incomplete=0.5")
    first, second = listed(github), listed(github)
    assert 8 < len(first) < 32
    assert first != second
    assert [one for one in everyone if one in first] == first
    assert github.struck(Fault.RUNNER_LIST_INCOMPLETE) == 80 - len(first) - len(second)


def test_a_list_of_runners_is_empty_as_often_as_asked() -> None:
    github = PureWorld()
    registration = github.register()
    github.switch_on("runner-list-empty=share=1,after=1,most=1")
    assert [listed(github) for _ in range(3)] == [[registration], [], [registration]]


def test_busy_lies_in_the_middle_of_a_job_and_before_it() -> None:
    github = PureWorld(FakeJob(key="build"))
    registration = github.listening()
    github.switch_on("busy-lies=1")
    assert online_and_busy(github, registration) == (True, True)
    github.push()
    github.assign()
    assert online_and_busy(github, registration) == (True, False)
    assert registration.is_busy
    assert github.struck(Fault.BUSY_LIES) == 2


def test_busy_and_status_lag_behind_the_runner() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.switch_on("busy-lag=40")
    registration = github.listening()
    github.pass_time(39)
    assert online_and_busy(github, registration) == (False, False)
    github.pass_time(1)
    assert online_and_busy(github, registration) == (True, False)
    github.push()
    github.assign()
    github.acquire(registration)
    github.pass_time(39)
    assert online_and_busy(github, registration) == (True, False)
    github.pass_time(1)
    assert online_and_busy(github, registration) == (True, True)
    github.world.runners.close_session(registration, now=github.now)
    github.pass_time(39)
    assert online_and_busy(github, registration)[0] is True
    github.pass_time(1)
    assert online_and_busy(github, registration)[0] is False
    assert github.struck(Fault.BUSY_LAG) == 3


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_lists_with_a_status_are_empty() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    github.switch_on("run-list-empty=share=1,most=1")
    assert runs(github, None) == [run]
    assert (runs(github, "queued"), runs(github, "queued")) == ([], [run])
    assert github.struck(Fault.RUN_LIST_EMPTY) == 1


def test_runs_are_missing_in_an_incomplete_list() -> None:
    github = PureWorld(FakeJob(key="build"))
    everything = [github.push() for _ in range(40)][::-1]
    github.switch_on("run-list-incomplete=0.5")
    found = runs(github, "queued")
    assert 8 < len(found) < 32
    assert github.struck(Fault.RUN_LIST_INCOMPLETE) == 40 - len(found)
    assert runs(github, None) == everything


def test_a_new_run_is_hidden_from_both_lists_while_it_has_queued_jobs() -> None:
    github = PureWorld(FakeJob(key="a"), FakeJob(key="b"))
    github.switch_on("run-hidden=seconds=60,most=1")
    hidden, seen = github.push(), github.push()
    assert (runs(github, "queued"), runs(github, None)) == ([seen], [seen, hidden])
    registration = github.listening()
    github.assign()
    github.acquire(registration)
    assert github.world.ledger.status_of(hidden) == ("in_progress", None)
    github.pass_time(59)
    assert (runs(github, "queued"), runs(github, "in_progress")) == ([seen], [])
    github.pass_time(1)
    assert (runs(github, "queued"), runs(github, "in_progress")) == ([seen], [hidden])
    assert github.struck(Fault.RUN_HIDDEN) == 1


def test_a_run_is_shown_as_queued_while_its_jobs_run_and_as_completed_when_they_have_ended() -> None:
    github = PureWorld(FakeJob(key="a"), FakeJob(key="b"))
    github.switch_on("run-shown-queued=60")
    run = github.push()
    registration = github.listening()
    github.assign()
    github.complete(github.acquire(registration))
    assert (runs(github, "queued"), runs(github, "in_progress")) == ([run], [])
    github.pass_time(60)
    assert (runs(github, "queued"), runs(github, "in_progress")) == ([], [run])
    second = github.listening("second")
    github.assign()
    github.complete(github.acquire(second))
    assert (runs(github, "queued"), runs(github, "completed")) == ([], [run])
    assert github.struck(Fault.RUN_SHOWN_QUEUED) == 1


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_of_jobs_of_a_new_run_is_empty_for_a_while() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.switch_on("job-list-empty=20")
    run = github.push()
    github.pass_time(19)
    assert statuses(github, run) == []
    github.pass_time(1)
    assert statuses(github, run) == ["queued"]
    assert github.struck(Fault.JOB_LIST_EMPTY) == 1


def test_a_job_is_shown_as_it_was_before_it_began_and_before_it_ended() -> None:
    """Its runner is not shown before that either; webhooks tell the truth at once."""
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    github.switch_on("job-lag=seconds=25,spread_seconds=35")
    registration = github.listening()
    github.assign()
    job = github.acquire(registration)
    github.pass_time(24)
    assert statuses(github, run) == ["queued"]
    assert github.world.shown.job(job, now=github.now).started_at is None
    github.pass_time(36)
    assert statuses(github, run) == ["in_progress"]
    github.complete(job)
    github.pass_time(24)
    [shown] = github.world.shown.jobs_of(run, now=github.now)
    assert (shown.status, shown.conclusion, shown.completed_at) == (JobStatus.IN_PROGRESS, None, None)
    github.pass_time(36)
    assert statuses(github, run) == ["completed"]
    assert [event.action for event in github.world.ledger.take_events()] == [
        "queued",
        "in_progress",
        "completed",
    ]
    assert github.struck(Fault.JOB_LAG) == 2


def test_a_short_job_is_still_shown_queued_when_it_has_ended() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    github.switch_on("job-lag=seconds=30,spread_seconds=0,most=1")
    registration = github.listening()
    github.assign()
    github.complete(github.acquire(registration))
    github.pass_time(29)
    assert statuses(github, run) == ["queued"]
    github.pass_time(1)
    assert statuses(github, run) == ["completed"]
