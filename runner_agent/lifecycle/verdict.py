"""How a lease ended, by what was seen and said; of exit codes only 7 (deprecated) proves anything. Pure."""

from runner_agent.contract import ExitReason, Outcome
from runner_agent.lifecycle.states import Evidence, Leased, StopCause, Verdict

_DEPRECATED_EXIT_CODE = 7
"""Of run.sh with ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1, since runner 2.333.0
(https://github.com/actions/runner/pull/4285)."""


def verdict_of(state: Leased) -> Verdict:
    """The verdict once the runner has gone and every process of it is reaped."""
    evidence = state.evidence
    match state.stop_cause:
        case None:
            return _ended_by_itself(evidence)
        case StopCause.LINGERING:
            return _finished(evidence)
        case StopCause.IDLE:
            return _stopped_idle(evidence)
        case cause if evidence.worker_gone_since is not None:
            # The job had ended before the stop began: nothing was taken from it.
            del cause
            return _finished(evidence)
        case StopCause.PREEMPTED as cause:
            return Verdict(outcome=Outcome.PREEMPTED, reason=ExitReason.PREEMPTED, cause=cause.value)
        case StopCause.HARD_END as cause if evidence.running_since is None:
            return Verdict(outcome=Outcome.UNUSED, reason=ExitReason.UNUSED, cause=cause.value)
        case StopCause.HARD_END | StopCause.JOB_TIMEOUT as cause:
            return Verdict(outcome=Outcome.TIMED_OUT, reason=ExitReason.TIMED_OUT, cause=cause.value)


def _ended_by_itself(evidence: Evidence) -> Verdict:
    ending = evidence.remark or f"exit code {evidence.exit_code}"
    if evidence.running_since is not None:
        # A completion line while a job process lived until the end was forged, or the runner died over it.
        if evidence.completion_said and evidence.workers_at_exit == 0:
            return _finished(evidence)
        cause = f"the runner vanished in the middle of its job: {ending}"
        return Verdict(outcome=Outcome.LOST, reason=ExitReason.LOST, cause=cause)
    if evidence.deprecated or evidence.exit_code == _DEPRECATED_EXIT_CODE:
        cause = "GitHub refuses this runner version: build a new image"
        return Verdict(outcome=Outcome.UNUSED, reason=ExitReason.RUNNER_DEPRECATED, cause=cause)
    if evidence.listening_since is None:
        cause = evidence.failure or f"the runner ended before it listened: {ending}"
        return Verdict(outcome=Outcome.UNUSED, reason=ExitReason.RUNNER_FAILED, cause=cause)
    cause = f"the runner ended without having had a job: {ending}"
    return Verdict(outcome=Outcome.UNUSED, reason=ExitReason.UNUSED, cause=cause)


def _stopped_idle(evidence: Evidence) -> Verdict:
    cause = StopCause.IDLE.value
    if evidence.running_since is None:
        reason = ExitReason.RUNNER_FAILED if evidence.listening_since is None else ExitReason.UNUSED
        return Verdict(outcome=Outcome.UNUSED, reason=reason, cause=cause)
    if evidence.completion_said and evidence.result == "Succeeded":
        return _finished(evidence)
    cause = "idle-race: a job arrived in the moment in which the idle runner was being stopped"
    return Verdict(outcome=Outcome.LOST, reason=ExitReason.LOST, cause=cause)


def _finished(evidence: Evidence) -> Verdict:
    cause = f"the job completed with result {evidence.result}"
    return Verdict(outcome=Outcome.FINISHED, reason=ExitReason.FINISHED, cause=cause)
