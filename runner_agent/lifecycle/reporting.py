"""What a lease's holder says to the scaler, and what it remembers of the answers. Pure."""

from dataclasses import replace

from runner_agent.contract import ReportState
from runner_agent.lifecycle.actions import Action, Report
from runner_agent.lifecycle.backoff import backoff
from runner_agent.lifecycle.states import Leased, Timing

LeasedStep = tuple[Leased, list[Action]]


def report(state: Leased, said: ReportState, now: float, timing: Timing) -> LeasedStep:
    """Say this now; heartbeats repeat it. After `preempted` nothing else is said: the lease is dying."""
    if state.reporting.state is ReportState.PREEMPTED and said is not ReportState.PREEMPTED:
        return state, []
    reporting = replace(
        state.reporting, state=said, seq=state.reporting.seq + 1, next_at=now + state.lease.heartbeat
    )
    action = Report(
        lease=state.lease.id,
        seq=reporting.seq,
        state=said,
        job=state.evidence.job,
        result=state.evidence.result,
        timeout_seconds=min(state.lease.heartbeat, timing.report_timeout_most),
        urgent=said is ReportState.PREEMPTED,
    )
    return replace(state, reporting=reporting), [action]


def repeat_if_due(state: Leased, now: float, timing: Timing) -> LeasedStep:
    """The heartbeat: the last state again."""
    if now < state.reporting.next_at:
        return state, []
    return report(state, state.reporting.state, now, timing)


def answered(state: Leased, queued: int | None) -> Leased:
    """A report arrived; remember how many jobs wait."""
    reporting = state.reporting
    return replace(state, reporting=replace(reporting, failures=0, queued=(reporting.queued[1], queued)))


def failed(state: Leased, chance: float, now: float, timing: Timing) -> Leased:
    """A report was lost: try again before the next heartbeat."""
    failures = state.reporting.failures + 1
    next_at = min(state.reporting.next_at, now + backoff(failures, chance, timing))
    # A reading that failed is unknown, never zero: both must be read afresh.
    reporting = replace(state.reporting, failures=failures, next_at=next_at, queued=(None, None))
    return replace(state, reporting=reporting)
