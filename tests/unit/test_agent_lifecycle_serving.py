"""Holding a lease with a runner: what its lines, the process table and the scaler's replies mean."""

from dataclasses import replace

import pytest

from runner_agent.contract import EndReply, ExitReason, Outcome, ReportState
from runner_agent.lifecycle.actions import (
    EndLease,
    Leave,
    LookAtTree,
    Report,
    Rung,
)
from runner_agent.lifecycle.events import (
    AskFailed,
    EndAnswered,
    JobCompleted,
    JobStarted,
    OutputEnded,
    ReportAnswered,
    ReportFailed,
    RunnerExited,
    TreeSeen,
)
from runner_agent.lifecycle.states import Phase
from tests.agent_life import GRANT, NO_TREE, NO_WORKER, TIMING, Agent, only, rungs, said


def test_a_life_from_lease_to_exit() -> None:
    agent = Agent().running()
    agent.after(60, JobCompleted(job="build", result="Succeeded"), *NO_WORKER)
    agent.after(1, RunnerExited(code=0, workers=0), NO_TREE, OutputEnded())
    assert said(agent.actions) == [
        ReportState.STARTING,
        ReportState.LISTENING,
        ReportState.RUNNING,
        ReportState.RUNNING,
        ReportState.COMPLETED,
    ]
    assert [report.seq for report in only(agent.actions, Report)] == [1, 2, 3, 4, 5]
    (end,) = only(agent.actions, EndLease)
    assert (end.outcome, end.seq, end.job, end.result) == (Outcome.FINISHED, 6, "build", "Succeeded")
    assert agent.after(0, EndAnswered(reply=EndReply.EXIT, chance=0)) == [Leave(reason=ExitReason.FINISHED)]
    assert rungs(agent.actions) == []


def test_heartbeats_repeat_the_last_state() -> None:
    agent = Agent().running()
    assert said(agent.sleep(61)) == [ReportState.RUNNING] * 3


def test_a_lost_report_is_repeated_sooner_than_the_next_heartbeat() -> None:
    agent = Agent().running()
    agent.after(1, ReportFailed(chance=0.5))
    assert said(agent.sleep(1)) == [ReportState.RUNNING]


def test_an_end_waits_until_nothing_is_left_below_the_agent() -> None:
    agent = Agent().running()
    agent.after(9, JobCompleted(job="build", result="Failed"), *NO_WORKER)
    agent.after(1, RunnerExited(code=0, workers=0), TreeSeen(processes=1, workers=0), OutputEnded())
    assert rungs(agent.sleep(1)) == [Rung.TERMINATE]
    assert set(rungs(agent.sleep(2))) == {Rung.KILL}
    assert only(agent.actions, EndLease) == []
    agent.after(0, NO_TREE)
    assert len(only(agent.actions, EndLease)) == 1


def test_an_end_waits_for_the_last_lines_but_not_for_ever() -> None:
    """The pipe is read by another thread; what it still holds decides between finished and lost."""
    agent = Agent().running()
    agent.after(1, RunnerExited(code=0, workers=0), NO_TREE)
    assert only(agent.actions, EndLease) == []
    agent.after(0.1, JobCompleted(job="build", result="Succeeded"), OutputEnded())
    assert [end.outcome for end in only(agent.actions, EndLease)] == [Outcome.FINISHED]
    agent = Agent().running()
    agent.after(1, RunnerExited(code=0, workers=0), NO_TREE)
    agent.sleep(TIMING.output_grace)
    assert [end.outcome for end in only(agent.actions, EndLease)] == [Outcome.LOST]


def test_a_completion_line_counts_only_once_no_worker_is_seen() -> None:
    agent = Agent().running()
    assert only(agent.after(1, JobCompleted(job="build", result="Succeeded")), LookAtTree) == [LookAtTree()]
    for _ in range(100):
        agent.after(1, TreeSeen(processes=5, workers=1))
    assert ReportState.COMPLETED not in said(agent.actions)
    assert rungs(agent.actions) == []
    agent.after(1, TreeSeen(processes=4, workers=0))
    assert ReportState.COMPLETED not in said(agent.actions)
    agent.after(0.1, TreeSeen(processes=4, workers=0))
    assert said(agent.actions)[-1] is ReportState.COMPLETED


def test_a_flood_of_completion_lines_costs_one_look_a_second() -> None:
    agent = Agent().running()
    done = agent.after(1, *[JobCompleted(job="build", result="Failed")] * 1000)
    assert len(only(done, LookAtTree)) == 1


def test_a_forged_completion_does_not_lift_the_job_timeout() -> None:
    agent = Agent().running(replace(GRANT, job_timeout_seconds=60))
    agent.after(1, JobCompleted(job="build", result="Succeeded"), TreeSeen(processes=5, workers=1))
    agent.after(59, TreeSeen(processes=5, workers=1))
    assert agent.state.phase is Phase.STOPPING


def test_a_runner_that_lingers_after_its_job_is_stopped_and_the_job_was_served() -> None:
    agent = Agent().running()
    agent.after(1, JobCompleted(job="build", result="Succeeded"), *NO_WORKER)
    assert rungs(agent.sleep(TIMING.completion_grace - 1)) == []
    assert rungs(agent.sleep(1)) == [Rung.INTERRUPT]
    agent.after(1, RunnerExited(code=143, workers=0), NO_TREE, OutputEnded())
    assert only(agent.actions, EndLease)[0].outcome is Outcome.FINISHED


@pytest.mark.parametrize(("queued", "stopped_after"), [(0, 300), (None, 600), (2, 600)])
def test_listen_max_needs_two_zeros_or_twice_its_time(queued: int | None, stopped_after: float) -> None:
    agent = Agent().listening()
    agent.after(0, ReportAnswered(queued=0), ReportAnswered(queued=0))
    agent.after(1, ReportAnswered(queued=queued))
    agent.sleep(stopped_after - 2)
    assert only(agent.actions, LookAtTree) == []
    agent.sleep(1)
    assert only(agent.actions, LookAtTree) == [LookAtTree()]
    assert rungs(agent.after(0, TreeSeen(processes=2, workers=0))) == []
    assert rungs(agent.after(0.1, TreeSeen(processes=2, workers=0))) == [Rung.INTERRUPT]


def test_a_reading_that_failed_is_no_zero() -> None:
    agent = Agent().listening()
    agent.after(0, ReportAnswered(queued=0), ReportAnswered(queued=0), ReportFailed(chance=0.5))
    agent.after(0, ReportAnswered(queued=0))
    agent.sleep(310)
    assert only(agent.actions, LookAtTree) == []


def test_a_listening_runner_with_a_worker_is_running() -> None:
    """Its line was lost or is late; the process table is the better witness."""
    agent = Agent().listening()
    agent.sleep(600)
    assert said(agent.after(0, TreeSeen(processes=3, workers=1))) == [ReportState.RUNNING]
    assert agent.state.phase is Phase.RUNNING
    assert said(agent.after(1, JobStarted(job="build"))) == [ReportState.RUNNING]
    assert agent.leased().evidence.job == "build"


def test_a_job_that_came_while_the_idle_runner_was_stopped_is_counted_as_that() -> None:
    agent = Agent().listening()
    agent.sleep(600)
    agent.after(0, *NO_WORKER, JobStarted(job="build"))
    agent.after(1, JobCompleted(job="build", result="Canceled"), RunnerExited(code=143, workers=0))
    agent.after(0, NO_TREE, OutputEnded())
    (end,) = only(agent.actions, EndLease)
    assert end.outcome is Outcome.LOST
    assert end.cause.startswith("idle-race")


def test_the_agents_own_stop_is_patient() -> None:
    agent = Agent().running(replace(GRANT, job_timeout_seconds=60))
    at = agent.now + 60
    agent.sleep(60)
    assert rungs(agent.actions) == [Rung.INTERRUPT]
    ladder = agent.leased().ladder
    assert ladder is not None
    assert (ladder.terminate_at - at, ladder.kill_at - at) == (30, 35)


def test_the_hard_end_leaves_nothing_alive_even_after_a_suspension() -> None:
    agent = Agent().running(replace(GRANT, hard_end_in_seconds=100))
    granted_at = 1000.0
    agent.sleep(granted_at + 89.9 - agent.now)
    assert rungs(agent.actions) == []
    agent.sleep(8)
    assert rungs(agent.actions)[:3] == [Rung.INTERRUPT, Rung.TERMINATE, Rung.KILL]
    assert agent.now < granted_at + 100
    suspended = Agent().running(replace(GRANT, hard_end_in_seconds=100))
    assert rungs(suspended.after(5000)) == [Rung.INTERRUPT, Rung.KILL]


@pytest.mark.parametrize("queued", [None, 0])
def test_no_answer_of_the_scaler_touches_a_live_runner(queued: int | None) -> None:
    agent = Agent().running()
    for _ in range(50):
        agent.after(
            1,
            ReportAnswered(queued=queued),
            ReportFailed(chance=0.1),
            AskFailed(ask=1, chance=0, retired=True),
            EndAnswered(reply=EndReply.EXIT, chance=0),
        )
    assert agent.state.phase is Phase.RUNNING
    assert rungs(agent.actions) == []
    assert only(agent.actions, Leave) == []


def test_one_look_that_misses_the_worker_ends_no_job_and_stops_no_runner() -> None:
    """A process in the middle of its exec has no command line to know it by."""
    agent = Agent().running()
    agent.after(1, JobCompleted(job="build", result="Succeeded"), TreeSeen(processes=2, workers=0))
    for _ in range(100):
        agent.after(1, TreeSeen(processes=2, workers=1))
        agent.after(1, TreeSeen(processes=2, workers=0))
    assert ReportState.COMPLETED not in said(agent.actions)
    assert rungs(agent.actions) == []
