"""Where an agent can stand between two events. Times are seconds on one clock that counts suspension."""

from dataclasses import dataclass, field
from enum import Enum, auto

from runner_agent.contract import (
    END_RETRIED_FOR_SECONDS,
    REPLY_WITHIN_SECONDS,
    EndWord,
    ExitReason,
    Outcome,
    ReportState,
)
from runner_agent.lifecycle.actions import Rung


class Phase(Enum):
    """The names people read in logs; the table in `lifecycle/__init__.py` shows the ways between them."""

    BOOTING = auto()
    PARKED = auto()
    TAKING = auto()
    STARTING = auto()
    LISTENING = auto()
    RUNNING = auto()
    STOPPING = auto()
    REAPING = auto()
    ENDING = auto()
    HOLDING = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every duration the agent decides by, in seconds."""

    max_lifetime: float
    reply_within: float = REPLY_WITHIN_SECONDS
    poll_spacing: float = 0.5
    """Least time between two long polls: a scaler that answers at once must not be met by a busy loop."""
    backoff_first: float = 1.0
    backoff_most: float = 60.0
    retry_after_most: float = 300.0
    report_timeout_most: float = 10.0
    void_wait: float = 0.6
    """How long a leaving agent waits for its last word to go out; parked agents are gone within a second."""
    linger_least: float = 2.0
    linger_most: float = 8.0
    """Before leaving for a reason that a fresh container will likely meet again."""
    completion_grace: float = 30.0
    """A runner ends by itself after its job; GitHub's runner needs a second or two."""
    patient_interrupt: float = 30.0
    """The agent's own stops: GitHub's runner takes 15 to 26 s to cancel a job and to say so."""
    patient_terminate: float = 5.0
    hurried_interrupt: float = 5.0
    """On SIGTERM Cloud Run leaves 10 s: 5 + 2, then less than 2 to kill, reap and say `end`."""
    hurried_terminate: float = 2.0
    instant_terminate: float = 1.0
    """On a second SIGTERM."""
    leave_after_termination: float = 8.8
    straggler_terminate: float = 2.0
    """What a step left running behind its job has this long to end after SIGTERM."""
    kill_again: float = 0.1
    look_again: float = 1.0
    confirm_look: float = 0.1
    """A process in the middle of its exec shows no command line, so that a missing worker is looked for twice."""
    output_grace: float = 2.0
    give_up_reaping: float = 60.0
    hard_end_lead: float = 10.0
    """The stop at `hard_end` begins this early, so that it is over by then."""
    end_retried_for: float = END_RETRIED_FOR_SECONDS


class Asking(Enum):
    """What a parked agent has asked and not yet been answered."""

    NOTHING = auto()
    OFFER = auto()
    LEASE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Booting:
    """Learning which instance this is."""

    born: float

    @property
    def phase(self) -> Phase:
        """Always booting."""
        return Phase.BOOTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Warm, without a registration, always safe to remove."""

    born: float
    ask: int
    asking: Asking
    sent_at: float
    """When the question in flight was sent."""
    retry_at: float | None = None
    failures: int = 0
    leave_at: float | None = None
    leaving: ExitReason | None = None

    @property
    def phase(self) -> Phase:
        """Taking once the lease has been asked for."""
        return Phase.TAKING if self.asking is Asking.LEASE else Phase.PARKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The terms of the lease, without its secret."""

    id: str
    heartbeat: float
    listen_max: float
    job_timeout: float
    hard_end_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the runner from its output and from the process table."""

    started_at: float
    listening_since: float | None = None
    running_since: float | None = None
    job: str | None = None
    result: str | None = None
    completion_said: bool = False
    worker_missed: bool = False
    worker_gone_since: float | None = None
    """Since when no job process was seen after completion was said: from then on completion counts."""
    deprecated: bool = False
    remark: str | None = None
    failure: str | None = None
    exit_code: int | None = None
    workers_at_exit: int = 0
    worker_code: int | None = None
    """Of the job process, if the runner's log tells; as a shell counts, 137 for SIGKILL."""
    memory_kills: int = 0
    output_ended: bool = False
    tree_empty_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """The last thing said to the scaler, and the last two things it said."""

    state: ReportState
    seq: int
    next_at: float
    failures: int = 0
    queued: tuple[int | None, int | None] = (None, None)


class StopCause(Enum):
    """Why the agent stops a runner; the value is the `cause` of the lease's end, for people."""

    PREEMPTED = "preempted: the platform asked the instance to leave"
    JOB_TIMEOUT = "policy: the job reached the pool's job_timeout"
    HARD_END = "policy: the lease reached its hard end"
    IDLE = "policy: no job came within listen_max"
    LINGERING = "the runner did not end after its job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """When the stop gets harder. `rung` is the last one climbed."""

    rung: Rung | None
    terminate_at: float
    kill_at: float
    killing_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """Holding a lease with a runner on it (starting, listening, running, stopping, reaping)."""

    phase: Phase
    lease: Lease
    evidence: Evidence
    reporting: Reporting
    stop_cause: StopCause | None = None
    ladder: Ladder | None = None
    terminations: int = 0
    leave_by: float | None = None
    """After SIGTERM: the platform kills soon after."""
    look_at: float = 0.0
    """No look at the process table before this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the lease ended, why, and with which reason the agent will leave."""

    outcome: Outcome
    reason: ExitReason
    cause: str
    word: EndWord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """All of the runner is reaped: the lease is given back (ending), or the cell is closing (holding)."""

    lease: Lease
    verdict: Verdict
    job: str | None
    result: str | None
    seq: int
    give_up_at: float
    retry_at: float | None = None
    failures: int = 0
    holding: bool = False
    urgent: bool = False
    leave_at: float | None = None
    """Set when all is said and the agent only waits, so that a fresh container does not come at once."""

    @property
    def phase(self) -> Phase:
        """Holding once the scaler has said so."""
        return Phase.HOLDING if self.holding else Phase.ENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Nothing more happens."""

    reason: ExitReason
    phase: Phase = field(default=Phase.GONE, init=False)


State = Booting | Parked | Leased | Ending | Gone
