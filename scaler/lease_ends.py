"""PURE: how a lease has ended, and why its job was stopped if it did not end by itself.

Every stopped job has exactly one cause. The instance knows it best and says it in one word; where it could say nothing,
the witness that removed the lease does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cell_records.obstacles import Obstacle


class LeaseOutcome(Enum):
    """How a lease ended, in the instance's words."""

    FINISHED = "finished"
    TIMED_OUT = "timed_out"
    UNUSED = "unused"
    PREEMPTED = "preempted"
    LOST = "lost"


class StopCause(Enum):
    """Who or what stopped a job that did not end by itself.

    SCALE_IN has no place in this program that says it: a count is lowered only where no lease stands. The word is kept for
    whoever finds otherwise.
    """

    USER = "user"
    POLICY = "policy"
    PREEMPTED = "preempted"
    EXTERNAL = "external"
    IDLE_RACE = "idle-race"
    SCALE_IN = "scale-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnded:
    """One lease that has left the record, for counts and logs.

    `why`: a sentence; `job`: its name; `result`: the runner's word for how it ended; `conclusion`: GitHub's, where it was asked.
    """

    pool: str
    cell: str
    lease: str
    outcome: LeaseOutcome
    why: str
    cause: StopCause | None = None
    runner: str | None = None
    job: str | None = None
    job_id: int | None = None
    repository: str | None = None
    result: str | None = None
    conclusion: str | None = None


# What an instance of an older image means that says no word.
_CAUSE_OF = {
    LeaseOutcome.TIMED_OUT: StopCause.POLICY,
    LeaseOutcome.PREEMPTED: StopCause.PREEMPTED,
    LeaseOutcome.LOST: StopCause.EXTERNAL,
}

# Conclusions of a job that was not cut off; None is one that GitHub has not given.
# https://docs.github.com/en/rest/actions/workflow-jobs
_ENDED_BY_ITSELF = frozenset({None, "success", "neutral", "skipped"})


def stop_cause(outcome: LeaseOutcome, *, word: str | None, job: str | None) -> StopCause | None:
    """The cause that an instance's `end` names; None for a job that ended by itself, or where there was none."""
    if word is not None:
        return None if _obstacle(word) is not None else StopCause(word)
    return None if job is None else _CAUSE_OF.get(outcome)


def obstacle(outcome: LeaseOutcome, word: str | None) -> Obstacle | None:
    """What kept the lease from a job, where the next one of its pool will meet the same."""
    return _obstacle(word) if outcome is LeaseOutcome.UNUSED and word is not None else None


def was_lost(outcome: LeaseOutcome, word: str | None) -> bool:
    """Whether a job was cut off by no rule and nobody's wish: in a new image that is its fault until the contrary is shown."""
    return outcome is LeaseOutcome.LOST and word != StopCause.IDLE_RACE.value


def outcome_of_silent(
    conclusion: str | None, *, said_completed: bool
) -> tuple[LeaseOutcome, StopCause | None]:
    """What a completed job of a silent instance tells. `said_completed`: the instance had said so before it fell silent."""
    if said_completed or conclusion in _ENDED_BY_ITSELF:
        return LeaseOutcome.FINISHED, None
    return LeaseOutcome.LOST, StopCause.EXTERNAL


def _obstacle(word: str) -> Obstacle | None:
    return next((each for each in Obstacle if each.value == word), None)
