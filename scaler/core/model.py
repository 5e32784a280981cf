"""PURE: the values that observation hands to the decision, and what the decision hands back.

wanted: what we decided. requested: what we have asked Cloud Run for. observed: what Cloud Run says. They are
never mixed. Times are seconds since the epoch; a thing that could not be observed is None, never 0.

More than 350 lines, because what is seen, decided and remembered is read together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from cell_records.obstacles import ObstacleMet
from cell_records.record import CellState
from scaler.core.calendar import ScheduleEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """What the admin wants of one pool; `labels` are lower-case.

    `idle_lease_seconds`: the longest a lease can live without a job; its agent ends it then. `back_off_seconds`: how long
    the pool stands still when its leases end without a job for a reason that the next will meet too. `paused`: why the pool
    shall not grow at all. `schedule`: other bounds at other times; `rule` names the entry whose bounds these are.
    """

    name: str
    labels: frozenset[str]
    min: int = 0
    max: int
    warm: int = 0
    priority: int = 0
    public_repositories: bool = False
    linger_seconds: float = 10.0
    idle_lease_seconds: float = 630.0
    back_off_seconds: float = 600.0
    paused: Reason | None = None
    schedule: tuple[ScheduleEntry, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the admin wants of the deployment. `direct`: instances read how many leases they may take from the
    records.
    """

    pools: tuple[PoolPolicy, ...]
    max_instances: int
    settle_seconds: float
    suspect_seconds: float = 60.0
    direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A workflow job with status queued; `labels` are lower-case."""

    id: int
    repository: str
    labels: frozenset[str]
    queued_at: float
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryReading:
    """One successful look at a repository, begun at `at`.

    `running` maps the id of the runner to the id of the job that GitHub shows in progress on it. `quiet`:
    neither queued nor running jobs for so long that one look is enough. `unsettled`: a run may have jobs that are
    not shown yet, so that this reading confirms nothing.
    """

    at: float
    queued: tuple[QueuedJob, ...] = ()
    running: Mapping[int, int] = field(default_factory=dict)
    quiet: bool = False
    unsettled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSeen:
    """The last successful reading of each repository. `complete`: every repository has been read at least
    once.
    """

    repositories: Mapping[str, RepositoryReading]
    complete: bool


class LeaseState(Enum):
    """What the instance last said of its lease; UNKNOWN after a restart of the scaler, and always in direct
    mode.
    """

    UNKNOWN = "unknown"
    STARTING = "starting"
    LISTENING = "listening"
    RUNNING = "running"
    COMPLETED = "completed"
    DYING = "dying"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen:
    """A lease of the record with what the instance said. `since`: when that state began, as far as known."""

    id: str
    state: LeaseState
    since: float
    runner_id: int | None = None
    job_id: int | None = None

    @property
    def had_job(self) -> bool:
        """Whether a job of it is known."""
        return self.job_id is not None or self.state in (LeaseState.RUNNING, LeaseState.COMPLETED)


def surely_held(leases: Iterable[LeaseSeen]) -> int:
    """How many leases surely hold an instance; that of a silent one may long be replaced."""
    return sum(lease.state is not LeaseState.SILENT for lease in leases)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSeen:
    """One cell: its record's state, its counts and its instances. `parked`: instances waiting for an offer
    right now.

    `offered`: offers made and not yet taken up.
    `ready_at`: when a cell at zero may open again. `writable`: no write of ours is in flight. `fault`: why
    the cell may not be touched at all. `failed`: why Cloud Run could not carry its last change out (no quota, say), so
    that no more instances are to be expected than are there. `obstacles`: what has lately kept its leases from jobs.
    `served_at`: the start of the youngest lease that had a job. `refused_at`: when Cloud Run refused its last change for want of
    quota or capacity; 0 when it did not. `hold`: for what it is kept from opening and from new leases, empty when it is not;
    `canary`: it shall try a new template before others do.
    """

    name: str
    pool: str
    size: int
    state: CellState
    requested: int
    observed: int | None
    leases: tuple[LeaseSeen, ...] = ()
    parked: int = 0
    offered: int = 0
    ready_at: float = 0.0
    writable: bool = True
    fault: str | None = None
    failed: str | None = None
    obstacles: tuple[ObstacleMet, ...] = ()
    served_at: float = 0.0
    refused_at: float = 0.0
    hold: str = ""
    canary: bool = False

    # Worked out once, because a decision asks for them again and again.
    held: int = field(init=False, repr=False, compare=False)
    """See `surely_held`."""
    counted: int = field(init=False, repr=False, compare=False)
    """What bounds count: a cell that was asked for, or is still there, is paid for."""
    expected: int = field(init=False, repr=False, compare=False)
    """How many instances will serve: all that were asked for, or only those that are there when the rest was refused."""

    def __post_init__(self) -> None:
        held = surely_held(self.leases)
        counted = max(self.requested, self.observed or 0)
        expected = counted if self.failed is None else min(counted, held + self.parked)
        for name, value in (("held", held), ("counted", counted), ("expected", expected)):
            object.__setattr__(self, name, value)

    @property
    def set_aside(self) -> str:
        """For what it gets nothing and is to be emptied: its hold, or a new template that has failed; empty when it serves."""
        return self.hold or ("a template that failed" if self.canary and self.fails else "")

    @property
    def serves(self) -> bool:
        """Whether leases may be given in it."""
        return self.state is CellState.OPEN and not self.set_aside

    @property
    def rank(self) -> int:
        """The lower, the sooner it is given leases and instances: a canary first, what fails last."""
        return 2 if self.fails else 0 if self.canary else 1

    @property
    def fails(self) -> bool:
        """Whether its last lease met an obstacle: its image may differ from that of other cells."""
        return any(each.at > self.served_at for each in self.obstacles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything one tick has observed. `writes_left` is for growth, `shrink_writes_left` for closing too; of how many a minute
    says `writes_per_minute`, which is 0 where that is of no interest.
    """

    at: float
    demand: DemandSeen
    cells: tuple[CellSeen, ...]
    registrations_left: int
    writes_left: int
    shrink_writes_left: int = 1000
    writes_per_minute: int = 0


class Reason(Enum):
    """Why something was decided or left; the value is the sentence for people."""

    QUEUED_JOBS = "jobs are queued that nothing covers"
    KEEP_MIN = "the pool keeps a minimum"
    KEEP_WARM = "the pool keeps warm instances on top of the busy ones"
    PARKED_CAN_TAKE = "a parked instance can take a queued job now"
    COUNT_FAILED = (
        "Cloud Run could not start its instances and no job runs in it: it is emptied, and tried again later"
    )
    NO_CAPACITY = "Cloud Run does not start the instances that were asked for; see the quotas of the region"
    CAPACITY_LEARNT = "Cloud Run has lately refused more instances; see the quotas of the region"
    SURPLUS = "nothing queued needs this cell, two readings agree, and its linger is over"
    AT_POOL_MAX = "the pool is at its max"
    SCHEDULE_ALLOWS_NONE = "the pool's schedule allows no instances now"
    POOL_PAUSED = "the pool is paused in the configuration"
    DEPLOYMENT_PAUSED = "the whole deployment is paused in the configuration"
    AT_DEPLOYMENT_MAX = "the deployment is at its max_instances"
    NO_FREE_CELL = "every cell of the pool is in use, closing or cooling"
    NO_WRITES_LEFT = "the Cloud Run write budget of this minute is used up"
    WRITES_PACED = "few Cloud Run writes of this minute are left, so they are handed out one after another"
    NO_REGISTRATIONS_LEFT = "GitHub's registration budget of this minute is used up"
    UNSERVABLE = "GitHub gives these jobs to no listening runner: does the runner group allow the repository?"
    UNSERVABLE_KINDS = (
        "GitHub gives jobs of several kinds to no listening runner of this pool: is the runner version too old (then build "
        "a new image), or does the runner group not allow these repositories?"
    )
    RUNNER_TOO_OLD = (
        "GitHub refuses this runner version, so the pool stops growing: build a new image with a newer runner"
    )
    RUNNER_FAILS = "runners end before they listen, so the pool stops growing: mend the image or RUNNER_POOL_RUNNER_COMMAND"
    REGISTRATION_REFUSED = (
        "GitHub refuses to register runners, so the pool stops growing: do the App's permissions and the runner "
        "group fit?"
    )
    DEMAND_UNKNOWN = "GitHub has not been read completely yet, so nothing shrinks"
    RUNS_JOBS = "a job runs in it, and a cell is closed only as a whole"
    LINGERS = "its linger is not over"
    AWAITS_READING = "a second reading of GitHub's queue has to agree first"
    NO_SHRINK_WRITES = "no write is left to close it now; cells that save more go first, and pools take turns"
    CELL_UNTOUCHABLE = "the cell cannot be touched"
    CELL_HELD = "the cell is held for a change, and no job runs in it"
    HELD_RUNS_JOBS = "the cell is held for a change, which waits for its jobs"
    CELLS_HELD = "cells of the pool are held for a change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Offer leases to parked instances of a cell."""

    cell: str
    leases: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """Ask for `to` instances in a cell, opening its gate first when it is at zero. `packed`: more at once than would be best,
    because the writes that are left do not reach for more cells.
    """

    cell: str
    to: int
    reason: Reason
    packed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close the gate of a cell without leases; its zero follows."""

    cell: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Leave a cell open though the pool does not need it. `until`: when its linger is over, where that is the reason."""

    cell: str
    reason: Reason
    until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something that was wanted and not possible, with how many instances or leases it concerns."""

    pool: str
    reason: Reason
    short: int
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The reason for people, with its detail."""
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPicture:
    """The numbers one pool was decided on, for the tick's line, `/status` and `plan`.

    `min`, `max`, `warm`: the bounds in force, by the entry of the pool's schedule that `schedule` names, if any.
    """

    pool: str
    queued: int
    uncovered: int
    oldest_queued_seconds: float | None
    parked: int
    booting: int
    leased: int
    wanted: int
    requested: int
    observed: int
    min: int = 0
    max: int = 0
    warm: int = 0
    schedule: str = ""
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What Cloud Run has been willing to start. `limit`: how many instances were surely there when it last refused more;
    None when nothing limits growth. `tries`: how many tries above it were refused; `tried_at`: when the last was made.
    `pools`: the pools that were refused, and no others are held to the limit.
    """

    limit: int | None = None
    refused_at: float = 0.0
    tries: int = 0
    tried_at: float = 0.0
    pools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in order of urgency, and why.

    `allowed`: direct mode, how many leases each open cell may hold. `surplus`: cells that are not needed,
    linger and second look included; the end of a last lease may close them. `confirm`: repositories whose
    second look is waited for. `capacity`: what was known of Cloud Run's limit.
    """

    grants: tuple[Grant, ...] = ()
    raises: tuple[Raise, ...] = ()
    closes: tuple[Close, ...] = ()
    kept: tuple[Keep, ...] = ()
    limits: tuple[Limit, ...] = ()
    pools: tuple[PoolPicture, ...] = ()
    allowed: Mapping[str, int] = field(default_factory=dict)
    surplus: frozenset[str] = frozenset()
    confirm: frozenset[str] = frozenset()
    capacity: Capacity = Capacity()
    look_again_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """What is known of jobs of one kind (repository and labels) that stay queued beside listening runners.

    `leases`: the last that listened in vain; `jobs`: ids of such jobs; `until`: they are no demand before;
    `after`: leases that began to listen earlier prove nothing.
    """

    leases: tuple[str, ...] = ()
    jobs: frozenset[int] = frozenset()
    until: float = 0.0
    after: float = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A job that a lease of `pool` has begun, `at` that moment as far as known; lists may call it queued for a while.

    `runner_id`, `job_id`: as far as known. `left_queue`: a queued job that is not shown any more counts as this one.
    """

    pool: str
    at: float
    runner_id: int | None = None
    job_id: int | None = None
    left_queue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """In which order pools close cells when writes are short, those whose turn is next first: `before` and `after` the
    decision of the moment `at`.
    """

    at: float = 0.0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one decision hands to the next; losing it costs time, never a job.

    `surplus`: since when each surplus cell is surplus. `passed`: by repository and labels, see PassedOver. `turns`: see Turns.
    `capacity`: see Capacity. `taken`: by lease, see Taken, of those that stand and those that are gone; `shown`: ids of the
    queued jobs by pool, of pools where a lease has begun one of them and nobody knows which. `grew_at`: when cells were last
    raised.
    """

    surplus: Mapping[str, float] = field(default_factory=dict)
    passed: Mapping[tuple[str, frozenset[str]], PassedOver] = field(default_factory=dict)
    turns: Turns = Turns()
    capacity: Capacity = Capacity()
    taken: Mapping[str, Taken] = field(default_factory=dict)
    shown: Mapping[str, frozenset[int]] = field(default_factory=dict)
    grew_at: float = 0.0
