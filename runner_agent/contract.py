"""The words that people and the scaler know the agent by: exit reasons, states, outcomes, terms of a lease.

Pure names and values of docs/reference/agent.md and docs/reference/lease_protocol.md.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum

REPLY_WITHIN_SECONDS = 30.0
"""A lease that was not answered within this time after the request is never used (T_rep)."""
LONG_POLL_TIMEOUT_SECONDS = 35.0
END_RETRIED_FOR_SECONDS = 300.0


class ExitReason(Enum):
    """Why the agent has left; the value is the process's exit code."""

    FINISHED = 0
    UNUSED = 3
    TIMED_OUT = 4
    PREEMPTED = 5
    STOPPED_PARKED = 6
    RETIRED = 7
    MAX_LIFETIME = 8
    LOST = 9
    RUNNER_DEPRECATED = 10
    RUNNER_FAILED = 11
    INTERNAL = 70
    SAME_USER = 77
    BAD_SETTINGS = 78
    USED_CONTAINER = 79

    @property
    def word(self) -> str:
        """The reason as documents and logs spell it."""
        return self.name.lower()


class ReportState(StrEnum):
    """What a lease's `events` call says about the runner."""

    STARTING = "starting"
    LISTENING = "listening"
    RUNNING = "running"
    COMPLETED = "completed"
    PREEMPTED = "preempted"


class Outcome(StrEnum):
    """How a lease ended."""

    FINISHED = "finished"
    TIMED_OUT = "timed_out"
    UNUSED = "unused"
    PREEMPTED = "preempted"
    LOST = "lost"


class EndWord(StrEnum):
    """Why a lease ended as it did, in one word, where its job did not end by itself or none was to be had."""

    USER = "user"
    POLICY = "policy"
    PREEMPTED = "preempted"
    EXTERNAL = "external"
    IDLE_RACE = "idle-race"
    RUNNER_DEPRECATED = "runner_deprecated"
    RUNNER_FAILED = "runner_failed"


class EndReply(StrEnum):
    """The answer to `end`."""

    EXIT = "exit"
    HOLD = "hold"
    UNKNOWN_LEASE = "unknown_lease"


class RefusalCode(StrEnum):
    """The `error` codes of the lease protocol that change what the agent does."""

    BAD_IDENTITY = "bad_identity"
    BOOT_RETIRED = "boot_retired"
    UNKNOWN_LEASE = "unknown_lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the reply to `start` brings: one lease and the single-use registration of one runner."""

    lease: str
    runner_id: int
    runner_name: str
    encoded_jit_config: str = field(repr=False)
    heartbeat_seconds: float
    listen_max_seconds: float
    job_timeout_seconds: float
    hard_end_in_seconds: float
