"""The stop ladder: interrupt, terminate, kill, each with a named wait. Pure.

A ladder is only ever moved forward in time. The agent's own stops are patient, so that GitHub hears how the
job ended; SIGTERM hurries them, since Cloud Run kills 10 s later; a second SIGTERM leaves one second.
"""

from dataclasses import replace

from runner_agent.contract import ReportState
from runner_agent.lifecycle.actions import Action, Note, Rung, Signal
from runner_agent.lifecycle.reporting import LeasedStep, report
from runner_agent.lifecycle.states import Ladder, Leased, Phase, StopCause, Timing

_BEING_STOPPED = (Phase.STOPPING, Phase.REAPING)


def stop(state: Leased, cause: StopCause, now: float, timing: Timing) -> LeasedStep:
    """Begin the patient ladder."""
    terminate_at = now + timing.patient_interrupt
    kill_at = terminate_at + timing.patient_terminate
    ladder = Ladder(rung=Rung.INTERRUPT, terminate_at=terminate_at, kill_at=kill_at)
    stopping = replace(state, phase=Phase.STOPPING, stop_cause=cause, ladder=ladder)
    return stopping, [Note(text=f"stopping the runner: {cause.value}"), Signal(rung=Rung.INTERRUPT)]


def terminated(state: Leased, now: float, timing: Timing) -> LeasedStep:
    """SIGTERM to a leaseholder: say `preempted` first, then the hurried ladder; again: at once."""
    state = replace(state, terminations=state.terminations + 1)
    if state.terminations > 1:
        return _hurried(state, terminate_at=now, kill_at=now + timing.instant_terminate), []
    state, actions = report(state, ReportState.PREEMPTED, now, timing)
    state = replace(state, leave_by=now + timing.leave_after_termination)
    if state.phase not in _BEING_STOPPED:
        state, more = stop(state, StopCause.PREEMPTED, now, timing)
        actions = [*actions, *more]
    terminate_at = now + timing.hurried_interrupt
    kill_at = terminate_at + timing.hurried_terminate
    return _hurried(state, terminate_at=terminate_at, kill_at=kill_at), actions


def stop_at_hard_end(state: Leased, now: float, timing: Timing) -> LeasedStep:
    """The lease counts as over at its hard end, so by then everything must be."""
    begin_at = state.lease.hard_end_at - timing.hard_end_lead
    if now < begin_at:
        return state, []
    actions: list[Action] = []
    if state.phase not in _BEING_STOPPED:
        state, actions = stop(state, StopCause.HARD_END, now, timing)
    # Counted from where the lead begins: an agent that was suspended beyond it has no time for patience.
    terminate_at = begin_at + timing.hurried_interrupt
    kill_at = terminate_at + timing.hurried_terminate
    return _hurried(state, terminate_at=terminate_at, kill_at=kill_at), actions


def after_the_runner(state: Leased, now: float, timing: Timing) -> Leased:
    """The runner has gone: what its job left behind gets a short ladder of its own."""
    kill_at = now + timing.straggler_terminate
    if state.ladder is not None:
        kill_at = min(kill_at, state.ladder.kill_at)
    ladder = Ladder(rung=None, terminate_at=min(now + timing.kill_again, kill_at), kill_at=kill_at)
    return replace(state, phase=Phase.REAPING, ladder=ladder, look_at=now)


def climb(state: Leased, now: float, timing: Timing) -> LeasedStep:
    """The next rung, if its time has come."""
    ladder = state.ladder
    if ladder is None or state.evidence.tree_empty_since is not None:
        return state, []
    if now >= ladder.kill_at:
        # Again and again, since processes may fork faster than one pass over the process table.
        since = ladder.killing_since if ladder.killing_since is not None else now
        ladder = replace(ladder, rung=Rung.KILL, kill_at=now + timing.kill_again, killing_since=since)
        return replace(state, ladder=ladder), [Signal(rung=Rung.KILL)]
    if now >= ladder.terminate_at and ladder.rung not in {Rung.TERMINATE, Rung.KILL}:
        return replace(state, ladder=replace(ladder, rung=Rung.TERMINATE)), [Signal(rung=Rung.TERMINATE)]
    return state, []


def is_hopeless(state: Leased, now: float, timing: Timing) -> bool:
    """Whether to leave without `end`: the platform is about to kill, or SIGKILL has long had no effect."""
    if state.leave_by is not None and now >= state.leave_by:
        return True
    since = None if state.ladder is None else state.ladder.killing_since
    return since is not None and now >= since + timing.give_up_reaping


def _hurried(state: Leased, *, terminate_at: float, kill_at: float) -> Leased:
    if state.ladder is None:
        return state
    ladder = replace(
        state.ladder,
        terminate_at=min(state.ladder.terminate_at, terminate_at),
        kill_at=min(state.ladder.kill_at, kill_at),
    )
    return replace(state, ladder=ladder)
