"""Any facts that a decision may see: policies, cells, queues and memories, for the properties of decisions."""

from __future__ import annotations

from datetime import UTC

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from cell_records.obstacles import Obstacle
from cell_records.record import CellState
from scaler.core.calendar import ScheduleEntry, WeekSpan
from scaler.core.model import (
    Capacity,
    CellSeen,
    DemandSeen,
    LeaseSeen,
    LeaseState,
    Memory,
    Policy,
    PoolPolicy,
    QueuedJob,
    Reason,
    RepositoryReading,
    Seen,
    Taken,
)
from tests.factories import NOW, an_obstacle

POOLS = ("linux", "large", "gpu")
LABELS = ("self-hosted", "linux", "large", "gpu")
REPOSITORIES = ("acme/a", "acme/b", "acme/c")
MOMENTS = some.sampled_from([NOW - 1_000.0, NOW - 100.0, NOW - 30.0, NOW - 5.0, NOW])
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@some.composite
def entries(draw: some.DrawFn) -> ScheduleEntry:
    """A span that may cover NOW, with bounds that fit together."""
    most = draw(some.integers(0, 6))
    return ScheduleEntry(
        span=WeekSpan(
            zone=UTC,
            begins=draw(some.sampled_from([0, 800, 827])),
            ends=draw(some.sampled_from([700, 827, 1440])),
        ),
        words="some hours",
        max=most,
        min=draw(some.none() | some.integers(0, most)),
        warm=draw(some.none() | some.integers(0, most)),
    )


@some.composite
def pools(draw: some.DrawFn, name: str) -> PoolPolicy:
    """A pool with some labels and bounds."""
    most = draw(some.integers(1, 12))
    return PoolPolicy(
        name=name,
        labels=frozenset(draw(some.sets(some.sampled_from(LABELS), min_size=1))),
        min=draw(some.integers(0, most)),
        max=most,
        warm=draw(some.integers(0, 3)),
        priority=draw(some.integers(-1, 1)),
        public_repositories=draw(some.booleans()),
        linger_seconds=draw(some.sampled_from([0.0, 10.0])),
        paused=draw(some.sampled_from([None, None, None, Reason.POOL_PAUSED, Reason.DEPLOYMENT_PAUSED])),
        schedule=tuple(draw(some.lists(entries(), max_size=2))),
    )


@some.composite
def policies(draw: some.DrawFn) -> Policy:
    """One to three pools under a common bound."""
    return Policy(
        pools=tuple(draw(pools(name)) for name in POOLS[: draw(some.integers(1, 3))]),
        max_instances=draw(some.integers(1, 30)),
        settle_seconds=80.0,
        direct=draw(some.booleans()),
    )


@some.composite
def cells(draw: some.DrawFn, name: str) -> CellSeen:
    """A cell in any state, also with counts that another hand has set; leases stand only where the gate is open."""
    state = draw(some.sampled_from(CellState))
    size = draw(some.integers(1, 5))
    parked = draw(some.integers(0, size))
    leases = [
        LeaseSeen(
            id=f"{name}-{number}",
            state=draw(some.sampled_from(LeaseState)),
            since=draw(MOMENTS),
            job_id=draw(some.none() | some.integers(1, 20)),
        )
        for number in range(draw(some.integers(0, size)) if state is CellState.OPEN else 0)
    ]
    return CellSeen(
        name=name,
        pool=draw(some.sampled_from((*POOLS, "nobody's"))),
        size=size,
        state=state,
        requested=draw(some.integers(0, size)),
        observed=draw(some.none() | some.integers(0, size + 2)),
        leases=tuple(leases),
        parked=parked,
        offered=draw(some.integers(0, parked)),
        ready_at=draw(some.sampled_from([0.0, NOW - 1, NOW, NOW + 10])),
        writable=draw(some.booleans() | some.just(True)),
        fault=draw(some.none() | some.just("broken")),
        obstacles=tuple(
            an_obstacle(
                f"{name}-{number}",
                draw(some.sampled_from(Obstacle)),
                at=draw(MOMENTS | some.just(NOW - 600.0)),
            )
            for number in range(draw(some.integers(0, 2)))
        ),
        served_at=draw(some.just(0.0) | MOMENTS),
        refused_at=draw(some.just(0.0) | MOMENTS),
        hold=draw(some.sampled_from(["", "", "", "rollout", "drain"])),
        canary=draw(some.booleans()),
    )


@some.composite
def demands(draw: some.DrawFn) -> DemandSeen:
    """Readings of up to three repositories; a job's id is its own, as at GitHub."""
    names = draw(some.lists(some.sampled_from(REPOSITORIES), unique=True))
    numbers = draw(some.lists(some.integers(1, 20), unique=True))
    queued = [
        QueuedJob(
            id=number,
            repository=draw(some.sampled_from(names)),
            labels=frozenset(draw(some.sets(some.sampled_from((*LABELS, "windows")), max_size=2))),
            queued_at=draw(MOMENTS),
            public=draw(some.booleans()),
        )
        for number in numbers
        if names
    ]
    readings = {
        name: RepositoryReading(
            at=draw(MOMENTS),
            queued=tuple(job for job in queued if job.repository == name),
            running=draw(some.dictionaries(some.integers(1, 9), some.integers(1, 20), max_size=3)),
            quiet=draw(some.booleans()),
        )
        for name in names
    }
    return DemandSeen(repositories=readings, complete=draw(some.booleans()))


@some.composite
def facts(draw: some.DrawFn) -> Seen:
    """Everything one tick may see."""
    return Seen(
        at=NOW,
        demand=draw(demands()),
        cells=tuple(draw(cells(f"cell-{number}")) for number in range(draw(some.integers(0, 6)))),
        registrations_left=draw(some.integers(0, 10)),
        writes_left=draw(some.integers(0, 5)),
        shrink_writes_left=draw(some.integers(0, 5) | some.just(1000)),
    )


memories = some.builds(
    Memory,
    surplus=some.dictionaries(some.sampled_from([f"cell-{number}" for number in range(6)]), MOMENTS),
    capacity=some.just(Capacity())
    | some.builds(
        Capacity,
        limit=some.integers(0, 8),
        refused_at=MOMENTS,
        tries=some.integers(0, 5),
        tried_at=some.just(0.0) | MOMENTS,
        pools=some.frozensets(some.sampled_from(POOLS)),
    ),
    taken=some.dictionaries(
        some.sampled_from([f"cell-{number}-{lease}" for number in range(6) for lease in range(3)]),
        some.builds(
            Taken,
            pool=some.sampled_from(POOLS),
            at=MOMENTS | some.just(NOW + 50.0),
            runner_id=some.none() | some.integers(1, 9),
            job_id=some.none() | some.integers(1, 20),
            left_queue=some.booleans(),
        ),
        max_size=8,
    ),
    shown=some.dictionaries(some.sampled_from(POOLS), some.frozensets(some.integers(1, 20))),
)
