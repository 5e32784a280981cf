"""What can happen to an agent. Values only; `chance` is a number in [0, 1) that the shell draws for jitter."""

from dataclasses import dataclass

from runner_agent.contract import EndReply, Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceKnown:
    """The agent knows which instance it is (or has drawn a name of its own) and may park."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The scaler woke this parked boot: a lease may be had."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingOffered:
    """The long poll ended without an offer."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The reply to `start`: a lease."""

    ask: int
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFailed:
    """`park` or `start` was refused or not answered. `retired`: this boot will never get a lease."""

    ask: int
    chance: float
    retired: bool = False
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswered:
    """A report arrived. `queued`: jobs this runner could take by the scaler's last reading; None: unknown."""

    queued: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFailed:
    """A report was not answered."""

    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAnswered:
    """`end` was answered."""

    reply: EndReply
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFailed:
    """`end` was not answered."""

    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerNotStarted:
    """The operating system refused to start the runner."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerListening:
    """The runner said that it listens for jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """The runner said that it runs a job."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCompleted:
    """A line said that the job has completed: a hint until no worker lives, since steps can forge it."""

    job: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerDeprecated:
    """The runner said that GitHub refuses its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerRemarked:
    """The runner said why it cannot go on (registration gone, no session, …); kept as the cause."""

    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnded:
    """The runner's own log said with which code its job process has ended; kept for the cause."""

    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerExited:
    """The runner's main process has been reaped; `workers` of its job processes were alive at that moment.

    `code` is negative if a signal has ended it; `memory_kills` processes were killed for want of memory meanwhile.
    """

    code: int
    workers: int
    memory_kills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnded:
    """Nobody can write to the runner's output any more, and all of it has been read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSeen:
    """The living processes below the agent: all of them, and the runner's job processes among them."""

    processes: int
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminationAsked:
    """The platform (or a person) asked the agent to leave: SIGTERM or SIGINT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Nothing happened but time."""


RunnerLine = RunnerListening | JobStarted | JobCompleted | RunnerDeprecated | RunnerRemarked | WorkerEnded

Event = (
    InstanceKnown
    | Offered
    | NothingOffered
    | Granted
    | AskFailed
    | ReportAnswered
    | ReportFailed
    | EndAnswered
    | EndFailed
    | RunnerNotStarted
    | RunnerLine
    | RunnerExited
    | OutputEnded
    | TreeSeen
    | TerminationAsked
    | TimePassed
)
