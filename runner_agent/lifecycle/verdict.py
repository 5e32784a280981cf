"""How a lease ended, by what was seen and said; of exit codes only 7 (deprecated) proves anything. Pure."""

from runner_agent.contract import EndWord, ExitReason, Outcome
from runner_agent.lifecycle.states import Evidence, Leased, StopCause, Verdict

_DEPRECATED_EXIT_CODE = 7
"""Of run.sh with ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1, since runner 2.333.0
(https://github.com/actions/runner/pull/4285)."""
_JOB_RESULT_CODES = range(100, 106)
"""With these a job process says how its job ended (src/Runner.Common/Util/TaskResultUtil.cs in actions/runner)."""
_KILLED_CODE = 137
_SIGNALS = {2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}

_LIKELY_NEXT_TIME_TOO = {
    ExitReason.RUNNER_DEPRECATED: EndWord.RUNNER_DEPRECATED,
    ExitReason.RUNNER_FAILED: EndWord.RUNNER_FAILED,
}
_CANCELLED = frozenset({"Canceled", "Cancelled"})
_REGISTRATION_GONE = "The runner no longer exists on the server."


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
            return Verdict(
                outcome=Outcome.PREEMPTED,
                reason=ExitReason.PREEMPTED,
                cause=cause.value,
                word=None if evidence.running_since is None else EndWord.PREEMPTED,
            )
        case StopCause.HARD_END as cause if evidence.running_since is None:
            return Verdict(outcome=Outcome.UNUSED, reason=ExitReason.UNUSED, cause=cause.value)
        case StopCause.HARD_END | StopCause.JOB_TIMEOUT as cause:
            return Verdict(
                outcome=Outcome.TIMED_OUT, reason=ExitReason.TIMED_OUT, cause=cause.value, word=EndWord.POLICY
            )


def _ended_by_itself(evidence: Evidence) -> Verdict:
    ending = evidence.remark or _exit_words(evidence)
    if evidence.running_since is not None:
        if _completed(evidence):
            return _finished(evidence)
        said = "" if evidence.remark is None else f"; the last it said: {evidence.remark}"
        cause = (
            f"the runner vanished in the middle of its job: {_exit_words(evidence)}{_hint(evidence)}{said}"
        )
        return Verdict(outcome=Outcome.LOST, reason=ExitReason.LOST, cause=cause, word=EndWord.EXTERNAL)
    if evidence.deprecated or evidence.exit_code == _DEPRECATED_EXIT_CODE:
        cause = "GitHub refuses this runner version: build a new image"
        return _without_job(ExitReason.RUNNER_DEPRECATED, cause)
    if evidence.listening_since is None:
        cause = evidence.failure or f"the runner ended before it listened: {ending}"
        return _without_job(ExitReason.RUNNER_FAILED, cause)
    return _without_job(ExitReason.UNUSED, f"the runner ended without having had a job: {ending}")


def _completed(evidence: Evidence) -> bool:
    """Whether the line that said so is to be believed, of a runner that ended by itself.

    While a job process lived until the end it was forged, or the runner died over it. A launcher that was killed
    took the rest of the runner with it, perhaps: then only a look that missed the job process before confirms it.
    """
    if not evidence.completion_said:
        return False
    was_killed = evidence.exit_code is not None and evidence.exit_code < 0
    return evidence.worker_gone_since is not None if was_killed else evidence.workers_at_exit == 0


def _exit_words(evidence: Evidence) -> str:
    code = evidence.exit_code
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"killed by {_SIGNALS.get(-code, f'signal {-code}')}"


def _hint(evidence: Evidence) -> str:
    """Why a job may have died that did not end by itself, for the cause; nothing more follows from it."""
    if evidence.memory_kills:
        kills = "1 process" if evidence.memory_kills == 1 else f"{evidence.memory_kills} processes"
        return f"; meanwhile the kernel killed {kills} for want of memory: give the pool more memory"
    if evidence.worker_code == _KILLED_CODE:
        return "; its job process was killed by SIGKILL, most likely for want of memory: give the pool more memory"
    if evidence.worker_code is not None and evidence.worker_code not in _JOB_RESULT_CODES:
        return f"; its job process crashed with code {evidence.worker_code}"
    return ""


def _stopped_idle(evidence: Evidence) -> Verdict:
    cause = StopCause.IDLE.value
    if evidence.running_since is None:
        reason = ExitReason.RUNNER_FAILED if evidence.listening_since is None else ExitReason.UNUSED
        return _without_job(reason, cause)
    if evidence.completion_said and evidence.result == "Succeeded":
        return _finished(evidence)
    cause = "idle-race: a job arrived in the moment in which the idle runner was being stopped"
    return Verdict(outcome=Outcome.LOST, reason=ExitReason.LOST, cause=cause, word=EndWord.IDLE_RACE)


def _without_job(reason: ExitReason, cause: str) -> Verdict:
    return Verdict(outcome=Outcome.UNUSED, reason=reason, cause=cause, word=_LIKELY_NEXT_TIME_TOO.get(reason))


def _finished(evidence: Evidence) -> Verdict:
    hint = "" if evidence.result == "Succeeded" else _hint(evidence)
    cause = f"the job completed with result {evidence.result}{hint}"
    return Verdict(
        outcome=Outcome.FINISHED,
        reason=ExitReason.FINISHED,
        cause=cause,
        word=_who_cancelled(evidence) if evidence.result in _CANCELLED else None,
    )


def _who_cancelled(evidence: Evidence) -> EndWord:
    """Whoever asked GitHub for it: a person, another run of a concurrency group, a matrix that fails fast.

    But a runner whose registration was deleted under it cancels its job by itself, since 2.336.0
    (https://github.com/actions/runner/pull/4551).
    """
    deleted = evidence.remark is not None and evidence.remark.startswith(_REGISTRATION_GONE)
    return EndWord.EXTERNAL if deleted else EndWord.USER
