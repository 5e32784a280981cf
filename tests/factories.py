"""Builders of records, facts and readings for tests: every argument has a plain default, and all are keywords.

Knows the products' values, no shell and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cell_records.obstacles import Obstacle, ObstacleMet, obstacle_met
from cell_records.record import CellRecord, CellState, Gate, Ghost, Lease, Outcome, Refusal, Refused
from scaler.cell_directory import DEPLOYMENT_LABEL, POOL_LABEL, SIZE_LABEL
from scaler.cloud_run.wire import ScalingMode, WorkerPool
from scaler.core.model import (
    CellSeen,
    DemandSeen,
    LeaseSeen,
    LeaseState,
    Policy,
    PoolPolicy,
    QueuedJob,
    RepositoryReading,
    Seen,
)

NOW = 1_000_000.0
OWNER = "acme"
ACCOUNT = "cells@p.iam.gserviceaccount.com"
UID = "uid-1"
REPOSITORY = "acme/widgets"


def a_lease(
    *,
    lease_id: str = "lease-1",
    boot: str = "boot-1",
    ask: int = 1,
    runner_id: int | None = None,
    job_id: int | None = None,
    repository: str | None = None,
    started_at: float = NOW,
    hard_end: float = NOW + 3_600.0,
    dying_until: float | None = None,
) -> Lease:
    """A lease that was just given to boot-1."""
    return Lease(
        id=lease_id,
        boot=boot,
        ask=ask,
        runner_name=f"runner-of-{lease_id}",
        started_at=started_at,
        hard_end=hard_end,
        runner_id=runner_id,
        job_id=job_id,
        repository=repository,
        dying_until=dying_until,
    )


def a_record(
    *,
    state: CellState = CellState.OPEN,
    leases: Sequence[Lease] = (),
    zeroed_at: float = NOW - 1_000.0,
    ended_boots: Sequence[str] = (),
    ghosts: Sequence[Ghost] = (),
    owner: str = OWNER,
    uid: str = UID,
    op_nonce: str = "",
    obstacles: Sequence[ObstacleMet] = (),
    served_at: float = 0.0,
    lowered_at: float = 0.0,
    hold: str = "",
    canary_since: float = 0.0,
    lost_at: float = 0.0,
    changed_at: float = 0.0,
) -> CellRecord:
    """A record in a state; open and long past its last zero unless told otherwise."""
    return CellRecord(
        owner=owner,
        uid=uid,
        gate=Gate.OPEN if state is CellState.OPEN else Gate.CLOSED,
        leases=tuple(leases),
        zero_seen=state is CellState.ZERO,
        zeroed_at=zeroed_at,
        ended_boots=tuple(ended_boots),
        ghosts=tuple(ghosts),
        op_nonce=op_nonce,
        obstacles=tuple(obstacles),
        served_at=served_at,
        lowered_at=lowered_at,
        hold=hold,
        canary_since=canary_since,
        lost_at=lost_at,
        changed_at=changed_at,
    )


def an_obstacle(
    lease: str = "lease-1",
    obstacle: Obstacle = Obstacle.RUNNER_DEPRECATED,
    *,
    at: float = NOW,
    words: str = "so it was",
) -> ObstacleMet:
    """A lease that ended now without a job, because GitHub refuses its runner's version."""
    return obstacle_met(lease, obstacle, at=at, words=words)


def made(outcome: Outcome) -> CellRecord:
    """The record of a change that was made; fails the test on a refusal."""
    assert isinstance(outcome, CellRecord), f"refused: {outcome.reason}"
    return outcome


def refusal(outcome: Outcome) -> Refusal:
    """Why a change was refused; fails the test if it was made."""
    assert isinstance(outcome, Refused), f"made: {outcome}"
    return outcome.reason


def a_pool(
    *,
    name: str = "linux",
    labels: Iterable[str] = ("self-hosted", "linux"),
    minimum: int = 0,
    maximum: int = 10,
    warm: int = 0,
    priority: int = 0,
    public_repositories: bool = False,
    linger_seconds: float = 10.0,
) -> PoolPolicy:
    """A pool without a minimum."""
    return PoolPolicy(
        name=name,
        labels=frozenset(labels),
        min=minimum,
        max=maximum,
        warm=warm,
        priority=priority,
        public_repositories=public_repositories,
        linger_seconds=linger_seconds,
    )


def a_policy(*pools: PoolPolicy, max_instances: int = 100, direct: bool = False) -> Policy:
    """A deployment of these pools, or of one plain pool."""
    return Policy(pools=pools or (a_pool(),), max_instances=max_instances, settle_seconds=80.0, direct=direct)


def a_job(
    *,
    number: int = 1,
    repository: str = REPOSITORY,
    labels: Iterable[str] = ("linux",),
    queued_at: float = NOW - 30.0,
    public: bool = False,
) -> QueuedJob:
    """A queued job that the plain pool serves."""
    return QueuedJob(
        id=number, repository=repository, labels=frozenset(labels), queued_at=queued_at, public=public
    )


def jobs(count: int) -> tuple[QueuedJob, ...]:
    """That many queued jobs."""
    return tuple(a_job(number=number) for number in range(1, count + 1))


def demand(
    *queued: QueuedJob,
    at: float = NOW,
    running: Mapping[int, int] | None = None,
    quiet: bool = False,
    complete: bool = True,
) -> DemandSeen:
    """One reading, begun at `at`, of each repository that a job is from (of the plain one without jobs)."""
    names = {job.repository for job in queued} or {REPOSITORY}
    readings = {
        name: RepositoryReading(
            at=at,
            queued=tuple(job for job in queued if job.repository == name),
            running=running or {},
            quiet=quiet,
        )
        for name in sorted(names)
    }
    return DemandSeen(repositories=readings, complete=complete)


def lease_seen(
    state: LeaseState = LeaseState.RUNNING,
    *,
    lease_id: str = "lease-1",
    since: float = NOW - 600.0,
    job_id: int | None = None,
) -> LeaseSeen:
    """A lease in a state since ten minutes ago."""
    return LeaseSeen(id=lease_id, state=state, since=since, job_id=job_id)


def a_cell(
    name: str = "a",
    *,
    pool: str = "linux",
    size: int = 1,
    state: CellState = CellState.ZERO,
    requested: int = 0,
    observed: int | None = 0,
    leases: Sequence[LeaseSeen] = (),
    parked: int = 0,
    offered: int = 0,
    ready_at: float = 0.0,
    writable: bool = True,
    fault: str | None = None,
    obstacles: Sequence[ObstacleMet] = (),
    served_at: float = 0.0,
    hold: str = "",
    canary: bool = False,
) -> CellSeen:
    """A cell at zero that may be opened."""
    return CellSeen(
        name=name,
        pool=pool,
        size=size,
        state=state,
        requested=requested,
        observed=observed,
        leases=tuple(leases),
        parked=parked,
        offered=offered,
        ready_at=ready_at,
        writable=writable,
        fault=fault,
        obstacles=tuple(obstacles),
        served_at=served_at,
        hold=hold,
        canary=canary,
    )


def an_open_cell(
    name: str = "a",
    *,
    pool: str = "linux",
    count: int = 1,
    size: int | None = None,
    leases: Sequence[LeaseSeen] = (),
    parked: int = 0,
    obstacles: Sequence[ObstacleMet] = (),
    served_at: float = 0.0,
    hold: str = "",
    canary: bool = False,
) -> CellSeen:
    """An open cell whose count is there as it was asked for."""
    return a_cell(
        name,
        pool=pool,
        state=CellState.OPEN,
        size=count if size is None else size,
        requested=count,
        observed=count,
        leases=leases,
        parked=parked,
        obstacles=obstacles,
        served_at=served_at,
        hold=hold,
        canary=canary,
    )


def seen(
    *cells: CellSeen,
    demand: DemandSeen | None = None,
    at: float = NOW,
    registrations_left: int = 100,
    writes_left: int = 30,
    shrink_writes_left: int = 1000,
    writes_per_minute: int = 0,
) -> Seen:
    """What one tick has observed: these cells and, unless given, a known empty queue."""
    return Seen(
        at=at,
        demand=empty_queue(at=at) if demand is None else demand,
        cells=cells,
        registrations_left=registrations_left,
        writes_left=writes_left,
        shrink_writes_left=shrink_writes_left,
        writes_per_minute=writes_per_minute,
    )


def empty_queue(*, at: float = NOW) -> DemandSeen:
    """A complete reading without jobs."""
    return demand(at=at)


def a_worker_pool(
    name: str = "linux-a",
    *,
    uid: str = UID,
    etag: str = "etag-1",
    count: int | None = 0,
    settled: bool = True,
    reconciling: bool = False,
    scaling_mode: ScalingMode = ScalingMode.MANUAL,
    pool: str = "linux",
    size: int = 1,
) -> WorkerPool:
    """A worker pool of the deployment, settled at zero."""
    return WorkerPool(
        name=f"projects/p/locations/r/workerPools/{name}",
        id=name,
        uid=uid,
        etag=etag,
        count=count,
        generation=2,
        observed_generation=2 if settled else 1,
        reconciling=reconciling,
        scaling_mode=scaling_mode,
        labels={DEPLOYMENT_LABEL: OWNER, POOL_LABEL: pool, SIZE_LABEL: str(size)},
        service_account=ACCOUNT,
        env={},
        last_modifier=None,
        failure=None,
        deleted=False,
    )
