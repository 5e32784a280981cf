"""PURE: what instances send, strictly. Every text is bounded: a workflow step may be the author."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from scaler.core.model import LeaseState
from scaler.lease_ends import LeaseOutcome

Boot = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Line = Annotated[str, Field(max_length=500)]

STATES = {
    "starting": LeaseState.STARTING,
    "listening": LeaseState.LISTENING,
    "running": LeaseState.RUNNING,
    "completed": LeaseState.COMPLETED,
    "preempted": LeaseState.DYING,
}


class LeaseBody(BaseModel):
    """What every lease call says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    cell: Annotated[str, Field(min_length=1, max_length=63)]
    boot: Boot


class AskBody(LeaseBody):
    """POST /v1/leases and /v1/leases/start. `uptime`: seconds since the agent's start, suspension included."""

    instance: Annotated[str, Field(min_length=1, max_length=200)]
    ask: Annotated[int, Field(ge=1, le=2**31)]
    uptime: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class EventBody(LeaseBody):
    """POST /v1/leases/{lease}/events."""

    seq: Annotated[int, Field(ge=1, le=2**31)]
    state: Literal["starting", "listening", "running", "completed", "preempted"]
    job: Line | None = None
    result: Line | None = None

    @property
    def lease_state(self) -> LeaseState:
        """The state in the scaler's words."""
        return STATES[self.state]


class EndBody(LeaseBody):
    """POST /v1/leases/{lease}/end."""

    seq: Annotated[int, Field(ge=1, le=2**31)]
    outcome: Literal["finished", "timed_out", "unused", "preempted", "lost"]
    cause: Line = ""
    job: Line | None = None
    result: Line | None = None
    word: (
        Literal[
            "user",
            "policy",
            "preempted",
            "external",
            "idle-race",
            "runner_deprecated",
            "runner_failed",
        ]
        | None
    ) = None

    @property
    def lease_outcome(self) -> LeaseOutcome:
        """The outcome in the scaler's words."""
        return LeaseOutcome(self.outcome)


class _Reply(BaseModel):
    """What the service answers; extra keys may come later, so clients ignore what they do not know."""

    model_config = ConfigDict(strict=True, frozen=True)


class OfferBody(_Reply):
    """A lease can be had: call start."""

    offer: Literal[True] = True


class RunnerBody(_Reply):
    """The registration that was made."""

    id: int
    name: Annotated[str, Field(max_length=64)]


class GrantedBody(_Reply):
    """A lease with its single-use registration."""

    lease: str
    runner: RunnerBody
    encoded_jit_config: Annotated[str, Field(repr=False)]
    heartbeat_seconds: float
    listen_max_seconds: float
    job_timeout_seconds: float
    hard_end_in_seconds: float


class EventReplyBody(_Reply):
    """Carry on; `queued`: how many queued jobs the pool has by the last reading."""

    reply: Literal["continue"] = "continue"
    queued: int | None


class EndReplyBody(_Reply):
    """Leave, or stay because the cell is closing."""

    reply: Literal["exit", "hold"]


class ErrorBody(_Reply):
    """What was refused, why, and what to do."""

    error: str
    message: str
    remedy: str
