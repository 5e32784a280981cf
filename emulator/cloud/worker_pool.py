"""The values of the stand-in Cloud Run: worker pools, their pending changes, operations, instances, stops. Pure data."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from emulator.cloud.errors import GoogleError


class InstanceState(Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    GONE = "gone"


class StopCause(Enum):
    """Why the platform stopped an instance."""

    SCALE_IN = "scale-in"
    REVISION = "revision"
    DELETED = "deleted"
    PREEMPTED = "preempted"
    DIED = "died"


class Readiness(Enum):
    """google.cloud.run.v2.Condition.State, as far as worker pools show it."""

    RECONCILING = "CONDITION_RECONCILING"
    SUCCEEDED = "CONDITION_SUCCEEDED"
    FAILED = "CONDITION_FAILED"


@dataclass(slots=True, kw_only=True)
class Operation:
    """A long-running operation; `response` or `error` appears when it is done."""

    name: str
    metadata: dict[str, Any]
    response: dict[str, Any] | None = None
    error: GoogleError | None = None

    @property
    def done(self) -> bool:
        return self.response is not None or self.error is not None


@dataclass(slots=True, kw_only=True)
class Change:
    """An accepted write on its way: first the platform acts on it, later its operation is done."""

    generation: int
    config: dict[str, Any]
    makes_revision: bool
    deletes: bool
    act_at: float
    done_at: float
    operation: Operation
    caller: str
    acted: bool = False
    failure: str | None = None
    refusal: GoogleError | None = None
    """The platform does not carry out the count, and the operation ends with this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterCount:
    """A count that the platform turns to at `at`; `caller` is whose write it was."""

    at: float
    count: int
    caller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A template under a name; what instances are started from."""

    name: str
    template: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class WorkerPool:
    """One worker pool: what customers asked for (`config`, `generation`) and what the platform acts on (the rest)."""

    name: str
    uid: str
    config: dict[str, Any]
    generation: int
    version: int
    created_at: float
    updated_at: float
    creator: str
    last_modifier: str
    condition_since: float
    deleted_at: float | None = None
    observed_generation: int = 0
    failure: str | None = None
    refusal: str | None = None
    target: int = 0
    serving: Revision | None = None
    latest_created_revision: str | None = None
    changes: list[Change] = field(default_factory=list)
    late_effects: list[LaterCount] = field(default_factory=list)
    echoes: list[LaterCount] = field(default_factory=list)

    @property
    def trouble(self) -> str | None:
        """Why it is not as it was asked to be."""
        return self.failure or self.refusal

    @property
    def id(self) -> str:
        return self.name.rsplit("/", 1)[1]

    @property
    def readiness(self) -> Readiness:
        if self.changes:
            return Readiness.RECONCILING
        return Readiness.SUCCEEDED if self.trouble is None else Readiness.FAILED


@dataclass(slots=True, kw_only=True)
class Stop:
    """One instance that the platform has stopped: `was_busy` when it was chosen, or at its end.

    `by` is the caller of the write that chose it; None when the platform did so by itself.
    """

    instance: str
    worker_pool: str
    cause: StopCause
    was_busy: bool
    by: str | None
    at: float
    killed: bool = False


@dataclass(slots=True, kw_only=True)
class Instance:
    """One container of a worker pool, from the decision to start it until it is gone."""

    id: str
    pool_uid: str
    worker_pool: str
    revision: Revision
    start_at: float
    state: InstanceState = InstanceState.STARTING
    launched: bool = False
    pid: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    terminate_at: float | None = None
    kill_at: float | None = None
    stop: Stop | None = None

    @property
    def counted(self) -> bool:
        """Whether it stands for one of the instances that the worker pool was asked to have."""
        return self.state in (InstanceState.STARTING, InstanceState.RUNNING)

    @property
    def waits_for_launch(self) -> bool:
        return self.state is InstanceState.STARTING and not self.launched


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write to the Admin API, accepted or refused; counts are None where there is none to name."""

    method: str
    worker_pool: str
    from_count: int | None
    to_count: int | None
    status: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Action: start this container's process."""

    instance: str
    worker_pool: str
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """Action: SIGTERM to the instance's main process."""

    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Action: SIGKILL to every process of the instance."""

    instance: str


Action = Launch | Terminate | Kill
