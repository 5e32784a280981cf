"""SIGTERM, the stop ladder, the verdict, and giving the lease back."""

from dataclasses import replace

import pytest

from runner_agent.contract import EndReply, EndWord, ExitReason, Outcome, ReportState
from runner_agent.lifecycle import wake_at
from runner_agent.lifecycle.actions import (
    EndLease,
    Leave,
    Report,
    Rung,
)
from runner_agent.lifecycle.events import (
    EndAnswered,
    EndFailed,
    Event,
    Granted,
    JobCompleted,
    JobStarted,
    Offered,
    OutputEnded,
    RunnerDeprecated,
    RunnerExited,
    RunnerListening,
    RunnerNotStarted,
    RunnerRemarked,
    TerminationAsked,
    TreeSeen,
    WorkerEnded,
)
from runner_agent.lifecycle.states import Phase
from tests.agent_life import GRANT, NO_TREE, NO_WORKER, TIMING, Agent, only, rungs, said


def test_sigterm_says_preempted_before_anything_else() -> None:
    actions = Agent().running().after(1, TerminationAsked())
    assert isinstance(actions[0], Report)
    assert (actions[0].state, actions[0].urgent) == (ReportState.PREEMPTED, True)
    assert rungs(actions) == [Rung.INTERRUPT]


def test_after_preempted_nothing_else_is_said() -> None:
    agent = Agent().running()
    agent.after(1, TerminationAsked())
    agent.after(1, JobCompleted(job="build", result="Canceled"), *NO_WORKER)
    assert set(said(agent.actions)[3:]) == {ReportState.PREEMPTED}


def test_the_ladder_after_sigterm_fits_into_cloud_runs_ten_seconds() -> None:
    agent = Agent().running()
    agent.after(1, TerminationAsked())
    assert rungs(agent.sleep(4.9)) == []
    assert rungs(agent.sleep(0.2)) == [Rung.TERMINATE]
    assert rungs(agent.sleep(1.8)) == []
    assert Rung.KILL in rungs(agent.sleep(0.2))
    assert set(rungs(agent.sleep(1))) == {Rung.KILL}
    assert agent.sleep(1)[-1] == Leave(reason=ExitReason.PREEMPTED)


def test_a_second_sigterm_leaves_one_second() -> None:
    agent = Agent().running()
    agent.after(1, TerminationAsked())
    assert rungs(agent.after(0.5, TerminationAsked())) == [Rung.TERMINATE]
    assert Rung.KILL in rungs(agent.sleep(1))


def test_sigterm_hurries_a_patient_stop_and_keeps_its_cause() -> None:
    agent = Agent().running(replace(GRANT, job_timeout_seconds=60))
    agent.sleep(60)
    agent.after(1, TerminationAsked())
    assert Rung.KILL in rungs(agent.sleep(7.1))
    agent.after(0, RunnerExited(code=-9, workers=0), NO_TREE, OutputEnded())
    (end,) = only(agent.actions, EndLease)
    assert (end.outcome, end.urgent) == (Outcome.TIMED_OUT, True)


def test_sigterm_after_the_job_takes_nothing_from_it() -> None:
    agent = Agent().running()
    agent.after(1, JobCompleted(job="build", result="Succeeded"), *NO_WORKER)
    agent.after(1, TerminationAsked(), RunnerExited(code=143, workers=0), NO_TREE, OutputEnded())
    assert only(agent.actions, EndLease)[0].outcome is Outcome.FINISHED


def test_processes_that_cannot_be_killed_do_not_hold_the_agent_for_ever() -> None:
    agent = Agent().running()
    agent.after(1, RunnerExited(code=0, workers=0), TreeSeen(processes=1, workers=0))
    assert only(agent.sleep(60), Leave) == []
    assert only(agent.sleep(5), Leave) == [Leave(reason=ExitReason.LOST)]
    assert only(agent.actions, EndLease) == []


def test_what_a_preempted_runner_leaves_behind_is_killed_when_the_runner_would_have_been() -> None:
    """The stragglers' own ladder never outlasts the one that was under way."""
    agent = Agent().running()
    agent.after(1, TerminationAsked())
    agent.sleep(6.9)
    agent.after(0, RunnerExited(code=143, workers=0), TreeSeen(processes=2, workers=0))
    assert Rung.KILL in rungs(agent.sleep(0.2))


def ended_by(*events: Event) -> Agent:
    """A runner that ends by itself after these events."""
    agent = Agent().starting()
    agent.after(1, *events, NO_TREE, OutputEnded())
    return agent


@pytest.mark.parametrize(
    ("events", "outcome", "reason"),
    [
        ((RunnerNotStarted(why="no such file"),), Outcome.UNUSED, ExitReason.RUNNER_FAILED),
        ((RunnerExited(code=0, workers=0),), Outcome.UNUSED, ExitReason.RUNNER_FAILED),
        ((RunnerExited(code=7, workers=0),), Outcome.UNUSED, ExitReason.RUNNER_DEPRECATED),
        ((RunnerDeprecated(), RunnerExited(code=1, workers=0)), Outcome.UNUSED, ExitReason.RUNNER_DEPRECATED),
        ((RunnerListening(), RunnerExited(code=0, workers=0)), Outcome.UNUSED, ExitReason.UNUSED),
        ((RunnerListening(), RunnerExited(code=7, workers=0)), Outcome.UNUSED, ExitReason.RUNNER_DEPRECATED),
        ((JobStarted(job="b"), RunnerExited(code=0, workers=0)), Outcome.LOST, ExitReason.LOST),
        (
            (JobStarted(job="b"), RunnerDeprecated(), RunnerExited(code=7, workers=0)),
            Outcome.LOST,
            ExitReason.LOST,
        ),
        (
            (JobStarted(job="b"), JobCompleted(job="b", result="Failed"), RunnerExited(code=1, workers=0)),
            Outcome.FINISHED,
            ExitReason.FINISHED,
        ),
        (
            (JobStarted(job="b"), JobCompleted(job="b", result="Failed"), RunnerExited(code=-9, workers=1)),
            Outcome.LOST,
            ExitReason.LOST,
        ),
        (
            (JobStarted(job="b"), JobCompleted(job="b", result="Failed"), RunnerExited(code=-9, workers=0)),
            Outcome.LOST,
            ExitReason.LOST,
        ),
        (
            (
                JobStarted(job="b"),
                JobCompleted(job="b", result="Failed"),
                *NO_WORKER,
                RunnerExited(code=-9, workers=0),
            ),
            Outcome.FINISHED,
            ExitReason.FINISHED,
        ),
        (
            (JobCompleted(job="b", result="Failed"), RunnerListening(), RunnerExited(code=0, workers=0)),
            Outcome.UNUSED,
            ExitReason.UNUSED,
        ),
    ],
)
def test_the_verdict_follows_what_was_said_and_seen(
    events: tuple[Event, ...], outcome: Outcome, reason: ExitReason
) -> None:
    agent = ended_by(*events)
    assert [end.outcome for end in only(agent.actions, EndLease)] == [outcome]
    agent.after(0, EndAnswered(reply=EndReply.EXIT, chance=0))
    agent.sleep(10)
    assert only(agent.actions, Leave) == [Leave(reason=reason)]


CANCELLED = (JobStarted(job="b"), JobCompleted(job="b", result="Canceled"), RunnerExited(code=0, workers=0))
DELETED = RunnerRemarked(remark="The runner no longer exists on the server. Cleaning up local configuration.")


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ((RunnerNotStarted(why="no such file"),), EndWord.RUNNER_FAILED),
        ((RunnerExited(code=0, workers=0),), EndWord.RUNNER_FAILED),
        ((RunnerDeprecated(), RunnerExited(code=1, workers=0)), EndWord.RUNNER_DEPRECATED),
        ((RunnerListening(), RunnerExited(code=0, workers=0)), None),
        ((JobStarted(job="b"), RunnerExited(code=0, workers=0)), EndWord.EXTERNAL),
        (CANCELLED, EndWord.USER),
        ((DELETED, *CANCELLED), EndWord.EXTERNAL),
        (
            (JobStarted(job="b"), JobCompleted(job="b", result="Failed"), RunnerExited(code=0, workers=0)),
            None,
        ),
    ],
)
def test_one_word_says_who_stopped_the_job_or_what_kept_the_lease_from_one(
    events: tuple[Event, ...], word: EndWord | None
) -> None:
    """A job that ended by itself, well or badly, has no such word; nor has a runner that waited in vain."""
    (end,) = only(ended_by(*events).actions, EndLease)
    assert end.word == word


@pytest.mark.parametrize(("running", "word"), [(True, EndWord.PREEMPTED), (False, None)])
def test_a_preempted_lease_names_its_cause_only_if_a_job_was_stopped(
    running: bool, word: EndWord | None
) -> None:
    agent = Agent().running() if running else Agent().listening()
    agent.after(1, TerminationAsked())
    agent.after(1, RunnerExited(code=143, workers=0), NO_TREE, OutputEnded())
    (end,) = only(agent.actions, EndLease)
    assert (end.outcome, end.word) == (Outcome.PREEMPTED, word)


def test_a_job_that_the_agent_stops_for_its_pool_is_policy() -> None:
    agent = Agent().running()
    agent.sleep(GRANT.job_timeout_seconds + 1)
    agent.after(1, RunnerExited(code=143, workers=0), NO_TREE, OutputEnded())
    (end,) = only(agent.actions, EndLease)
    assert (end.outcome, end.word) == (Outcome.TIMED_OUT, EndWord.POLICY)


def test_the_runners_own_words_become_the_cause() -> None:
    agent = ended_by(RunnerRemarked(remark="Failed to create a session."), RunnerExited(code=1, workers=0))
    assert "Failed to create a session." in only(agent.actions, EndLease)[0].cause


@pytest.mark.parametrize(
    ("events", "cause"),
    [
        ((RunnerExited(code=-9, workers=1),), "killed by SIGKILL"),
        ((RunnerExited(code=-64, workers=1),), "killed by signal 64"),
        (
            (RunnerRemarked(remark="Exiting with unknown error code: 137"), RunnerExited(code=0, workers=0)),
            "exit code 0; the last it said: Exiting with unknown error code: 137",
        ),
        (
            (RunnerExited(code=-9, workers=0, memory_kills=2),),
            (
                "killed by SIGKILL; meanwhile the kernel killed 2 processes for want of memory: "
                "give the pool more memory"
            ),
        ),
    ],
)
def test_a_runner_that_vanished_is_told_with_how_it_ended(events: tuple[Event, ...], cause: str) -> None:
    agent = ended_by(JobStarted(job="b"), *events)
    (end,) = only(agent.actions, EndLease)
    assert end.cause == f"the runner vanished in the middle of its job: {cause}"


@pytest.mark.parametrize(
    ("result", "worker_code", "memory_kills", "hint"),
    [
        ("Failed", None, 0, ""),
        ("Failed", 102, 0, ""),
        ("Failed", 134, 0, "; its job process crashed with code 134"),
        ("Failed", 137, 0, "; its job process was killed by SIGKILL, most likely for want of memory: {}"),
        ("Failed", 137, 1, "; meanwhile the kernel killed 1 process for want of memory: {}"),
        ("Failed", None, 1, "; meanwhile the kernel killed 1 process for want of memory: {}"),
        ("Succeeded", 100, 1, ""),
    ],
)
def test_a_job_that_failed_for_its_memory_leaves_a_hint(
    result: str, worker_code: int | None, memory_kills: int, hint: str
) -> None:
    events: list[Event] = [JobStarted(job="b"), JobCompleted(job="b", result=result)]
    if worker_code is not None:
        events.append(WorkerEnded(code=worker_code))
    agent = ended_by(*events, RunnerExited(code=0, workers=0, memory_kills=memory_kills))
    (end,) = only(agent.actions, EndLease)
    assert end.outcome is Outcome.FINISHED
    assert end.cause == f"the job completed with result {result}" + hint.format("give the pool more memory")


def test_a_reason_that_the_next_container_will_meet_too_is_left_slowly() -> None:
    agent = ended_by(RunnerExited(code=7, workers=0))
    assert agent.after(0, EndAnswered(reply=EndReply.EXIT, chance=0.5)) == []
    assert only(agent.sleep(1.9), Leave) == []
    assert only(agent.sleep(6.2), Leave) == [Leave(reason=ExitReason.RUNNER_DEPRECATED)]


def test_end_is_retried_for_five_minutes() -> None:
    agent = ended_by(JobStarted(job="b"), RunnerExited(code=0, workers=0))
    while not only(agent.actions, Leave):
        agent.after(0, EndFailed(chance=0.9))
        agent.sleep_until_woken()
    assert 300 <= agent.now - 1001 < 301
    assert 6 < len(only(agent.actions, EndLease)) < 15


def test_hold_is_asked_again_each_heartbeat_for_ever() -> None:
    agent = ended_by(JobStarted(job="b"), RunnerExited(code=0, workers=0))
    for _ in range(100):
        agent.after(0, EndAnswered(reply=EndReply.HOLD, chance=0))
        assert agent.state.phase is Phase.HOLDING
        assert only(agent.after(19.9), EndLease) == []
        assert len(only(agent.after(0.2), EndLease)) == 1
    agent.after(0, EndFailed(chance=0))
    assert len(only(agent.sleep(20), EndLease)) == 1
    assert agent.after(0, TerminationAsked()) == [Leave(reason=ExitReason.STOPPED_PARKED)]


def test_an_unknown_lease_at_the_end_means_leave() -> None:
    agent = ended_by(JobStarted(job="b"), RunnerExited(code=0, workers=0))
    reply = EndAnswered(reply=EndReply.UNKNOWN_LEASE, chance=0)
    assert agent.after(0, reply) == [Leave(reason=ExitReason.LOST)]


def test_sigterm_during_the_good_bye_says_it_once_more_then_leaves() -> None:
    agent = ended_by(JobStarted(job="b"), RunnerExited(code=0, workers=0))
    (end,) = only(agent.after(1, TerminationAsked()), EndLease)
    assert end.urgent
    assert agent.sleep(2)[-1] == Leave(reason=ExitReason.LOST)


def test_nothing_happens_after_leaving() -> None:
    agent = Agent().parked()
    agent.after(0, TerminationAsked())
    assert agent.after(1, Offered(ask=1), TerminationAsked(), Granted(ask=1, grant=GRANT)) == []
    assert wake_at(agent.state, agent.now, TIMING) is None
