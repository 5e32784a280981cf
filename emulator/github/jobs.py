"""What a workflow run and its jobs are to GitHub. Pure values; must not know how a workflow file is read or run.

The three protocols at the end are all that is needed of the part that reads workflow files.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from emulator.github.accounts import Repository

LOST_COMMUNICATION: Final = (
    "The self-hosted runner lost communication with the server. Verify the machine is running and has a healthy "
    "network connection. Anything in your workflow that terminates the runner process, starves it for CPU/Memory, "
    "or blocks its network access can cause this error."
)


class JobStatus(enum.Enum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    number: int
    name: str
    status: str
    conclusion: str | None
    started_at: float | None
    completed_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRunner:
    """The runner that a job was given to, as it was then."""

    id: int
    name: str
    group_id: int
    group_name: str
    instance: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job at one moment; a change makes a new value. Times are seconds since the epoch.

    While `status` is QUEUED a `runner` means: assigned, not yet picked up. `request_id` names that assignment.
    `attempts` counts assignments, `acquired` how often a runner was handed the steps.
    """

    id: int
    uuid: str
    plan_id: str
    timeline_id: str
    run_id: int
    key: str
    name: str
    labels: tuple[str, ...]
    group: str | None
    created_at: float
    queued_at: float
    definition: dict[str, Any] = field(repr=False)
    status: JobStatus = JobStatus.QUEUED
    conclusion: str | None = None
    runner: JobRunner | None = None
    request_id: str | None = None
    assigned_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    locked_until: float | None = None
    attempts: int = 0
    acquired: int = 0
    message: str | None = None
    steps: tuple[Step, ...] = ()

    @property
    def is_picked_up(self) -> bool:
        """A runner has begun with it."""
        return self.started_at is not None


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One run of one workflow file. The last three say until when faults bend what is shown of it."""

    id: int
    number: int
    workflow_id: int
    workflow: str
    path: str
    repository: Repository
    head_sha: str
    created_at: float
    updated_at: float
    source: str | None
    github: dict[str, Any]
    progress: "Progress"
    job_ids: list[int] = field(default_factory=list)
    hidden_until: float = 0.0
    jobs_hidden_until: float = 0.0
    shown_queued_until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """What a `workflow_job` webhook tells: the job as it was when it happened."""

    action: str
    job: Job
    run: Run


class PlannedJob(Protocol):
    """A job that has become due. With a `conclusion` it never needs a runner."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def group(self) -> str | None: ...
    @property
    def conclusion(self) -> str | None: ...
    @property
    def message(self) -> str | None: ...
    @property
    def definition(self) -> dict[str, Any]: ...


class Progress(Protocol):
    """A run as the reader of workflow files sees it: which jobs are due, which no longer wanted, how it ends."""

    @property
    def conclusion(self) -> str | None: ...
    def due(self) -> Sequence[PlannedJob]: ...
    def conclude(self, key: str, conclusion: str, outputs: dict[str, str]) -> None: ...
    def unwanted(self) -> Sequence[str]: ...


class Plan(Protocol):
    """A workflow file that has been read."""

    @property
    def name(self) -> str: ...
    def triggers(self, event: str) -> bool: ...
    def start(self, *, github: dict[str, Any], run_id: int) -> Progress: ...


class PlanLoader(Protocol):
    """Reads a workflow file. Raises `ControlRefusal` 422 with a message for its author."""

    def __call__(self, text: str, *, filename: str) -> Plan: ...
