"""What the agent can be told to do. Values only; whatever a deed leads to comes back as an event."""

from dataclasses import dataclass
from enum import Enum, auto

from runner_agent.contract import EndWord, ExitReason, Grant, Outcome, ReportState


class Rung(Enum):
    """The steps of the stop ladder, each harder than the one before."""

    INTERRUPT = auto()
    """The runner's launcher is asked to interrupt its processes: run.sh turns SIGTERM into SIGINT for them."""
    TERMINATE = auto()
    """Every process below the agent gets SIGTERM."""
    KILL = auto()
    """Every process below the agent gets SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnInstance:
    """Ask the metadata server which instance this is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Ask for an offer (long poll)."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease:
    """Ask for the lease."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Say that every ask below this one will never be used; nobody waits for the answer."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRunner:
    """Start the runner on this grant."""

    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Say what the runner does. `urgent`: on a connection of its own, at once."""

    lease: str
    seq: int
    state: ReportState
    job: str | None
    result: str | None
    timeout_seconds: float
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLease:
    """Give the lease back. `urgent`: on a connection of its own, at once."""

    lease: str
    seq: int
    outcome: Outcome
    cause: str
    job: str | None
    result: str | None
    word: EndWord | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Climb to this rung of the stop ladder."""

    rung: Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtTree:
    """See which processes live below the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write a line for people."""

    text: str
    severity: str = "INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """End the agent."""

    reason: ExitReason


Action = (
    LearnInstance
    | Park
    | TakeLease
    | Void
    | StartRunner
    | Report
    | EndLease
    | Signal
    | LookAtTree
    | Note
    | Leave
)
