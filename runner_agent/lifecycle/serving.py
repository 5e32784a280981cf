"""Holding a lease: what the runner's output, the process table, time and SIGTERM mean. Pure.

The scaler's answers reach only `reporting`: none of them leads to a signal (a test holds this). Completion
counts only once no job process is seen, because a step can forge every line.
"""

from collections.abc import Sequence
from dataclasses import replace

from runner_agent.contract import ReportState
from runner_agent.lifecycle import reporting
from runner_agent.lifecycle.actions import Action, Leave, LookAtTree, Note
from runner_agent.lifecycle.ending import begin_ending
from runner_agent.lifecycle.events import (
    Event,
    JobCompleted,
    JobStarted,
    OutputEnded,
    ReportAnswered,
    ReportFailed,
    RunnerDeprecated,
    RunnerExited,
    RunnerListening,
    RunnerNotStarted,
    RunnerRemarked,
    TerminationAsked,
    TreeSeen,
    WorkerEnded,
)
from runner_agent.lifecycle.reporting import LeasedStep, repeat_if_due, report
from runner_agent.lifecycle.states import Gone, Leased, Phase, State, StopCause, Timing
from runner_agent.lifecycle.stopping import (
    after_the_runner,
    climb,
    is_hopeless,
    stop,
    stop_at_hard_end,
    terminated,
)
from runner_agent.lifecycle.verdict import verdict_of

_WITHOUT_JOB = (Phase.STARTING, Phase.LISTENING)


def step_leased(state: Leased, event: Event, now: float, timing: Timing) -> LeasedStep:
    """Take in one event; what follows from the time is `review_leased`'s."""
    match event:
        case TreeSeen():
            return _tree_seen(state, event, now, timing)
        case RunnerExited(code=code, workers=workers, memory_kills=killed) if (
            state.phase is not Phase.REAPING
        ):
            seen = replace(state.evidence, exit_code=code, workers_at_exit=workers, memory_kills=killed)
            state = after_the_runner(replace(state, evidence=seen), now, timing)
        case RunnerNotStarted(why=why) if state.phase is not Phase.REAPING:
            seen = replace(state.evidence, failure=why, output_ended=True)
            state = after_the_runner(replace(state, evidence=seen), now, timing)
        case ReportAnswered(queued=queued):
            state = reporting.answered(state, queued)
        case ReportFailed(chance=chance):
            state = reporting.failed(state, chance, now, timing)
        case TerminationAsked():
            return terminated(state, now, timing)
        case _:
            return _said(state, event, now, timing)
    return state, []


def review_leased(state: Leased, now: float, timing: Timing) -> tuple[State, Sequence[Action]]:
    """What the time asks for, whatever has happened."""
    evidence = state.evidence
    empty_since = evidence.tree_empty_since
    if empty_since is not None and (evidence.output_ended or now >= empty_since + timing.output_grace):
        return begin_ending(state, verdict_of(state), now, timing)
    if is_hopeless(state, now, timing):
        reason = verdict_of(state).reason
        note = Note(text="processes of the runner remain; leaving without `end`", severity="ERROR")
        return Gone(reason=reason), (note, Leave(reason=reason))
    actions: list[Action] = []
    for part in (stop_at_hard_end, _stop_by_job_timeout, _stop_lingering, _look, climb, repeat_if_due):
        state, more = part(state, now, timing)
        actions += more
    return state, actions


def leased_deadlines(state: Leased, timing: Timing) -> list[float | None]:
    """The moments at which `review_leased` may have something to do."""
    evidence, ladder = state.evidence, state.ladder
    deadlines = [
        state.reporting.next_at,
        state.lease.hard_end_at - timing.hard_end_lead,
        state.leave_by,
        state.look_at,
    ]
    if state.phase in _WITHOUT_JOB:
        waits_from = _waits_from(state)
        deadlines += [waits_from + state.lease.listen_max, waits_from + 2 * state.lease.listen_max]
    if evidence.running_since is not None:
        deadlines.append(evidence.running_since + state.lease.job_timeout)
    if evidence.worker_gone_since is not None:
        deadlines.append(evidence.worker_gone_since + timing.completion_grace)
    if evidence.tree_empty_since is not None:
        deadlines.append(evidence.tree_empty_since + timing.output_grace)
    if ladder is not None:
        deadlines += [ladder.terminate_at, ladder.kill_at]
    return deadlines


def _said(state: Leased, event: Event, now: float, timing: Timing) -> LeasedStep:
    """A line of the runner's output, or its end. Nothing that is said here stops anything."""
    evidence = state.evidence
    match event:
        case RunnerListening() if evidence.listening_since is None:
            state = replace(state, evidence=replace(evidence, listening_since=now))
            if state.phase is Phase.STARTING:
                return report(replace(state, phase=Phase.LISTENING), ReportState.LISTENING, now, timing)
        case JobStarted(job=job) if evidence.job is None:
            return _job_started(state, job, now, timing)
        case JobCompleted(result=result) if evidence.running_since is not None:
            # Of several such lines the last counts: a forged one is followed by the true one. Only the first
            # brings the look at the process table forward, so that a flood of them costs no more than one.
            look_at = state.look_at if evidence.completion_said else now
            seen = replace(evidence, completion_said=True, result=result)
            state = replace(state, evidence=seen, look_at=look_at)
        case RunnerDeprecated():
            state = replace(state, evidence=replace(evidence, deprecated=True))
        case RunnerRemarked(remark=remark):
            state = replace(state, evidence=replace(evidence, remark=remark))
        case WorkerEnded(code=code):
            state = replace(state, evidence=replace(evidence, worker_code=code))
        case OutputEnded():
            state = replace(state, evidence=replace(evidence, output_ended=True))
        case _:
            pass
    return state, []


def _job_started(state: Leased, job: str | None, now: float, timing: Timing) -> LeasedStep:
    since = state.evidence.running_since
    seen = replace(state.evidence, job=job, running_since=now if since is None else since)
    state = replace(state, evidence=seen)
    if state.phase in _WITHOUT_JOB:
        state = replace(state, phase=Phase.RUNNING)
    return report(state, ReportState.RUNNING, now, timing) if state.phase is Phase.RUNNING else (state, [])


def _tree_seen(state: Leased, seen: TreeSeen, now: float, timing: Timing) -> LeasedStep:
    evidence = state.evidence
    if state.phase is Phase.REAPING:
        since = now if evidence.tree_empty_since is None else evidence.tree_empty_since
        empty_since = since if seen.processes == 0 else None
        return replace(state, evidence=replace(evidence, tree_empty_since=empty_since)), []
    if seen.workers > 0:
        state = replace(state, evidence=replace(evidence, worker_missed=False, worker_gone_since=None))
        # A job process without its line: the process table is the better witness.
        return _job_started(state, None, now, timing) if state.phase in _WITHOUT_JOB else (state, [])
    idle = state.phase in _WITHOUT_JOB and _may_stop_idle(state, now)
    completed = state.phase is Phase.RUNNING and evidence.completion_said
    if not idle and not completed:
        return state, []
    if not evidence.worker_missed:
        missed = replace(evidence, worker_missed=True)
        return replace(state, evidence=missed, look_at=now + timing.confirm_look), []
    if idle:
        return stop(state, StopCause.IDLE, now, timing)
    if evidence.worker_gone_since is None:
        state = replace(state, evidence=replace(evidence, worker_gone_since=now))
        return report(state, ReportState.COMPLETED, now, timing)
    return state, []


def _stop_by_job_timeout(state: Leased, now: float, timing: Timing) -> LeasedStep:
    since = state.evidence.running_since
    if state.phase is not Phase.RUNNING or since is None or state.evidence.worker_gone_since is not None:
        return state, []
    return (
        stop(state, StopCause.JOB_TIMEOUT, now, timing)
        if now >= since + state.lease.job_timeout
        else (state, [])
    )


def _stop_lingering(state: Leased, now: float, timing: Timing) -> LeasedStep:
    since = state.evidence.worker_gone_since
    if state.phase is Phase.RUNNING and since is not None and now >= since + timing.completion_grace:
        return stop(state, StopCause.LINGERING, now, timing)
    return state, []


def _look(state: Leased, now: float, timing: Timing) -> LeasedStep:
    wanted = (
        state.phase is Phase.REAPING
        or (state.phase is Phase.RUNNING and state.evidence.completion_said)
        or (state.phase in _WITHOUT_JOB and _may_stop_idle(state, now))
    )
    if not wanted or now < state.look_at:
        return state, []
    again = timing.kill_again if state.phase is Phase.REAPING else timing.look_again
    return replace(state, look_at=now + again), [LookAtTree()]


def _waits_from(state: Leased) -> float:
    since = state.evidence.listening_since
    return state.evidence.started_at if since is None else since


def _may_stop_idle(state: Leased, now: float) -> bool:
    """Whether the pool's listen_max allows to stop this runner, if no job process is there."""
    no_job_waits = state.reporting.queued == (0, 0)
    return now - _waits_from(state) >= state.lease.listen_max * (1 if no_job_waits else 2)
