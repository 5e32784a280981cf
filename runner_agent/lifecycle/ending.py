"""Everything is reaped: give the lease back, hold while the cell closes, leave. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from runner_agent.contract import EndReply, ExitReason
from runner_agent.lifecycle.actions import Action, EndLease, Note
from runner_agent.lifecycle.backoff import backoff, linger
from runner_agent.lifecycle.events import EndAnswered, EndFailed, Event, TerminationAsked
from runner_agent.lifecycle.parking import leave
from runner_agent.lifecycle.states import Ending, Leased, State, Timing, Verdict

Step = tuple[State, Sequence[Action]]

_LIKELY_AGAIN = frozenset({ExitReason.RUNNER_DEPRECATED, ExitReason.RUNNER_FAILED})
"""A fresh container will meet these too; leaving at once would make a fast loop of registrations."""


def begin_ending(state: Leased, verdict: Verdict, now: float, timing: Timing) -> Step:
    """The first `end`; after SIGTERM on a connection of its own and only as long as the platform waits."""
    ending = Ending(
        lease=state.lease,
        verdict=verdict,
        job=state.evidence.job,
        result=state.evidence.result,
        seq=state.reporting.seq,
        give_up_at=now + timing.end_retried_for if state.leave_by is None else state.leave_by,
        urgent=state.leave_by is not None,
    )
    ending, end = _end(ending)
    word = "" if verdict.word is None else f" ({verdict.word})"
    note = Note(text=f"lease {state.lease.id} ends as {verdict.outcome}{word}: {verdict.cause}")
    return ending, (note, *end)


def step_ending(state: Ending, event: Event, now: float, timing: Timing) -> Step:
    """`exit` and an unknown lease mean leave, `hold` means ask again later, SIGTERM means now."""
    match event:
        case TerminationAsked():
            return _terminated(state, now, timing)
        case EndAnswered() | EndFailed() if state.leave_at is not None and not state.urgent:
            return state, ()
        case EndAnswered(reply=EndReply.HOLD) if not state.urgent:
            return replace(state, holding=True, failures=0, retry_at=now + state.lease.heartbeat), ()
        case EndAnswered(chance=chance):
            if state.verdict.reason in _LIKELY_AGAIN and not state.urgent:
                return replace(state, retry_at=None, leave_at=now + linger(chance, timing)), ()
            return leave(state.verdict.reason)
        case EndFailed(chance=chance):
            failures = state.failures + 1
            wait = state.lease.heartbeat if state.holding else backoff(failures, chance, timing)
            return replace(state, failures=failures, retry_at=now + wait), ()
        case _:
            return state, ()


def review_ending(state: Ending, now: float) -> Step:
    """What time alone asks for."""
    if state.leave_at is not None and now >= state.leave_at:
        return leave(state.verdict.reason)
    if not state.holding and state.leave_at is None and now >= state.give_up_at:
        return leave(state.verdict.reason)
    if state.retry_at is not None and now >= state.retry_at:
        return _end(replace(state, retry_at=None))
    return state, ()


def ending_deadlines(state: Ending) -> list[float | None]:
    """The moments at which `review_ending` may have something to do."""
    return [state.leave_at, state.retry_at, None if state.holding else state.give_up_at]


def _terminated(state: Ending, now: float, timing: Timing) -> Step:
    if state.holding:
        return leave(ExitReason.STOPPED_PARKED)
    if state.urgent:
        return state, ()
    if state.leave_at is not None:
        return leave(state.verdict.reason)
    # The runner is gone and only the good-bye is missing: say it once more, at once, then leave.
    return _end(replace(state, urgent=True, retry_at=None, leave_at=now + timing.hurried_terminate))


def _end(state: Ending) -> tuple[Ending, Sequence[Action]]:
    state = replace(state, seq=state.seq + 1)
    action = EndLease(
        lease=state.lease.id,
        seq=state.seq,
        outcome=state.verdict.outcome,
        cause=state.verdict.cause,
        job=state.job,
        result=state.result,
        word=state.verdict.word,
        urgent=state.urgent,
    )
    return state, (action,)
