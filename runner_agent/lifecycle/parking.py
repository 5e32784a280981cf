"""Booting and parked: ask for an offer, ask for a lease, never use a late answer. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from runner_agent.contract import ExitReason, Grant, ReportState
from runner_agent.lifecycle.actions import (
    Action,
    LearnInstance,
    Leave,
    Note,
    Park,
    Report,
    StartRunner,
    TakeLease,
    Void,
)
from runner_agent.lifecycle.backoff import backoff, linger
from runner_agent.lifecycle.events import (
    AskFailed,
    Event,
    Granted,
    InstanceKnown,
    NothingOffered,
    Offered,
    TerminationAsked,
)
from runner_agent.lifecycle.states import (
    Asking,
    Booting,
    Evidence,
    Gone,
    Lease,
    Leased,
    Parked,
    Phase,
    Reporting,
    State,
    Timing,
)

Step = tuple[State, Sequence[Action]]


def begin(now: float) -> tuple[Booting, Sequence[Action]]:
    """The first state of every agent."""
    return Booting(born=now), (LearnInstance(),)


def step_booting(state: Booting, event: Event, now: float) -> Step:
    """Booting → parked once the instance has a name; SIGTERM loses nothing."""
    match event:
        case InstanceKnown():
            parked = Parked(born=state.born, ask=1, asking=Asking.OFFER, sent_at=now)
            return parked, (Park(ask=1),)
        case TerminationAsked():
            return leave(ExitReason.STOPPED_PARKED)
        case _:
            return state, ()


def step_parked(state: Parked, event: Event, now: float, timing: Timing) -> Step:
    """What an event means to a parked agent; answers to an older ask mean nothing."""
    if isinstance(event, TerminationAsked):
        return _terminated(state, now, timing)
    if state.leaving is not None:
        return state, ()
    match event:
        case Offered(ask=state.ask) if state.asking is Asking.OFFER:
            return replace(state, asking=Asking.LEASE, sent_at=now), (TakeLease(ask=state.ask),)
        case NothingOffered(ask=state.ask) if state.asking is Asking.OFFER:
            retry_at = max(now, state.sent_at + timing.poll_spacing)
            return replace(state, asking=Asking.NOTHING, retry_at=retry_at, failures=0), ()
        case Granted(ask=state.ask, grant=grant) if state.asking is Asking.LEASE:
            if now - state.sent_at > timing.reply_within:
                return _drop_ask(state, now)
            return _take(state, grant, now)
        case AskFailed(ask=state.ask) if state.asking is not Asking.NOTHING:
            return _failed(state, event, now, timing)
        case _:
            return state, ()


def review_parked(state: Parked, now: float, timing: Timing) -> Step:
    """What time alone asks of a parked agent."""
    if state.leaving is not None:
        return leave(state.leaving) if state.leave_at is not None and now >= state.leave_at else (state, ())
    if state.asking is Asking.LEASE:
        # No room for a fresh one while a lease may be ours: first its answer, or the end of its time.
        return _drop_ask(state, now) if now - state.sent_at > timing.reply_within else (state, ())
    if now >= state.born + timing.max_lifetime:
        return leave(ExitReason.MAX_LIFETIME)
    if state.retry_at is not None and now >= state.retry_at:
        return _park(state, now)
    return state, ()


def parked_deadlines(state: Parked, timing: Timing) -> list[float | None]:
    """The moments at which `review_parked` may have something to do."""
    if state.leaving is not None:
        return [state.leave_at]
    if state.asking is Asking.LEASE:
        # The comparison above is strict; a hair later it holds.
        return [state.sent_at + timing.reply_within + 0.001]
    return [state.retry_at, state.born + timing.max_lifetime]


def leave(reason: ExitReason) -> Step:
    """The last step of every agent."""
    return Gone(reason=reason), (Leave(reason=reason),)


def _park(state: Parked, now: float) -> Step:
    return replace(state, asking=Asking.OFFER, sent_at=now, retry_at=None), (Park(ask=state.ask),)


def _drop_ask(state: Parked, now: float) -> Step:
    # Parking with the next ask is what voids a lease that was written but whose answer was lost.
    note = Note(text=f"ask {state.ask} was not answered in time and will never be used", severity="WARNING")
    parked, actions = _park(replace(state, ask=state.ask + 1), now)
    return parked, (note, *actions)


def _failed(state: Parked, failure: AskFailed, now: float, timing: Timing) -> Step:
    if failure.retired:
        note = Note(text="the scaler has retired this boot; leaving soon")
        leave_at = now + linger(failure.chance, timing)
        retired = replace(
            state, asking=Asking.NOTHING, retry_at=None, leaving=ExitReason.RETIRED, leave_at=leave_at
        )
        return retired, (note,)
    failures = state.failures + 1
    wait = backoff(failures, failure.chance, timing)
    if failure.retry_after_seconds is not None:
        wait = max(wait, min(failure.retry_after_seconds, timing.retry_after_most))
    ask = state.ask + 1 if state.asking is Asking.LEASE else state.ask
    return replace(state, ask=ask, asking=Asking.NOTHING, retry_at=now + wait, failures=failures), ()


def _terminated(state: Parked, now: float, timing: Timing) -> Step:
    if state.leaving is not None or state.asking is not Asking.LEASE:
        return leave(ExitReason.STOPPED_PARKED)
    # The lease may stand in the record already: void it, or its cell could not be closed until its hard end.
    leaving = replace(state, leaving=ExitReason.STOPPED_PARKED, leave_at=now + timing.void_wait)
    return leaving, (Void(ask=state.ask + 1),)


def _take(state: Parked, grant: Grant, now: float) -> Step:
    lease = Lease(
        id=grant.lease,
        heartbeat=grant.heartbeat_seconds,
        listen_max=grant.listen_max_seconds,
        job_timeout=grant.job_timeout_seconds,
        # Counted from the request, which is before the scaler's own count begins: our end is never the later.
        hard_end_at=state.sent_at + grant.hard_end_in_seconds,
    )
    reporting = Reporting(state=ReportState.STARTING, seq=1, next_at=now + lease.heartbeat)
    leased = Leased(phase=Phase.STARTING, lease=lease, evidence=Evidence(started_at=now), reporting=reporting)
    report = Report(
        lease=lease.id,
        seq=1,
        state=ReportState.STARTING,
        job=None,
        result=None,
        timeout_seconds=lease.heartbeat,
    )
    note = Note(text=f"lease {lease.id}: starting runner {grant.runner_name} ({grant.runner_id})")
    return leased, (note, StartRunner(grant=grant), report)
