"""PURE: the world of a seed: its jobs, its cells, its scalers and what goes wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from scaler.core.model import Policy, PoolPolicy
from simulator.assumptions import Assumptions
from simulator.cells.times import Times
from simulator.faults import Faults, Refusing
from simulator.trace import Trace, TraceJob

# Listening and jobs end sooner than by default, so that a world that has lost a lease comes to its hard end soon; fewer ticks
# make a world cheaper, so that there can be more of them.
TIMES = Times(listen_max=60.0, job_timeout=480.0, cells=10.0, between_ticks=1.0, between_ticks_of_others=5.0)

LABELS = frozenset({"self-hosted"})
OTHER_LABELS = frozenset({"self-hosted", "large"})

# Short enough for a cell to close between two bursts, with linger, settle time and the reopening.
PAUSE_SECONDS = (120.0, 180.0)
BURSTS = (8, 9)
JOBS_IN_A_BURST = (6, 7)
SHORT_SECONDS = (3.0, 45.0)
LONG_SECONDS = (150.0, 400.0)
LONG_SHARE = 0.05

LEAST_JOBS = 50

# After the last job: what is sent late has arrived by then.
CALM_AFTER_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One world. `sizes`: of the cells of each pool; `processes`: scalers at once; `faults_end`: see CellsWorld."""

    seed: int
    trace: Trace
    assumptions: Assumptions
    faults: Faults
    policy: Policy
    sizes: Mapping[str, Sequence[int]]
    processes: int
    faults_end: float

    @property
    def most(self) -> Mapping[str, int]:
        """The max of each pool."""
        return {pool.name: pool.max for pool in self.policy.pools}


def world_of(seed: int) -> World:
    """The same seed gives the same world."""
    chance = Random(f"world {seed}")  # noqa: S311 - a world that can be repeated, no secret
    pools = _pools(chance)
    trace = _jobs(chance, kinds=[pool.labels for pool in pools])
    most = sum(pool.max for pool in pools)
    last = trace[-1].queued_at
    return World(
        seed=seed,
        trace=trace,
        assumptions=Assumptions(
            max_runners=most,
            writes_per_minute=chance.choice((15, 30, 60)),
            start=chance.uniform(4.0, 20.0),
            registration=chance.uniform(2.0, 8.0),
            restart=chance.uniform(2.0, 6.0),
            settle=chance.uniform(1.0, 10.0),
            seed=seed,
        ),
        faults=_faults(chance, most=most, seconds=last),
        policy=Policy(
            pools=pools,
            # A limit of the whole deployment that two full pools would exceed.
            max_instances=most if len(pools) == 1 else max(4, most - 2),
            settle_seconds=TIMES.settle,
            suspect_seconds=TIMES.suspect,
        ),
        sizes={pool.name: _sizes(chance, pool.max) for pool in pools},
        processes=chance.choice((1, 2, 2, 2)),
        faults_end=last + CALM_AFTER_SECONDS,
    )


def _pools(chance: Random) -> tuple[PoolPolicy, ...]:
    linger = chance.choice((0.0, 2.0, 10.0))
    kinds = [("small", LABELS)] if chance.random() < 0.75 else [("small", LABELS), ("large", OTHER_LABELS)]
    return tuple(
        PoolPolicy(
            name=name,
            labels=labels,
            max=chance.choice((4, 5, 6, 7, 8, 8, 9, 10, 12)) if len(kinds) == 1 else chance.randint(4, 6),
            linger_seconds=linger,
            idle_lease_seconds=TIMES.idle_lease,
        )
        for name, labels in kinds
    )


def _sizes(chance: Random, most: int) -> tuple[int, ...]:
    """Together more than the pool's max, since a closing cell counts until its zero is seen; none is most of the pool."""
    sizes: list[int] = []
    while sum(sizes) < most + 2:
        sizes.append(min(chance.choice((1, 1, 2, 2, 3, 4)), most // 2))
    return tuple(sorted(sizes))


def _jobs(chance: Random, *, kinds: Sequence[frozenset[str]]) -> Trace:
    """Bursts with pauses between them."""
    at, jobs, bursts = 0.0, list[TraceJob](), chance.randint(*BURSTS)
    while bursts > 0 or len(jobs) < LEAST_JOBS:
        bursts -= 1
        for _ in range(chance.randint(*JOBS_IN_A_BURST)):
            span = LONG_SECONDS if chance.random() < LONG_SHARE else SHORT_SECONDS
            jobs.append(
                TraceJob(
                    queued_at=at + chance.choice((0.0, 1.0, chance.uniform(0.0, 20.0))),
                    duration=chance.uniform(*span),
                    labels=chance.choice(kinds),
                    repository=chance.choice(("acme/app", "acme/web")),
                )
            )
        at += chance.uniform(*PAUSE_SECONDS)
    return sorted(jobs, key=lambda job: job.queued_at)


def _faults(chance: Random, *, most: int, seconds: float) -> Faults:
    """Each fault in about half of the worlds, at least four kinds in each."""
    kinds: dict[str, Callable[[], object]] = {
        "preemptions_per_hour": lambda: chance.uniform(2.0, 15.0),
        "writes_refused": lambda: chance.uniform(0.02, 0.2),
        "writes_unanswered": lambda: chance.uniform(0.02, 0.15),
        "writes_late": lambda: chance.uniform(0.02, 0.15),
        "writes_doubled": lambda: chance.uniform(0.05, 0.4),
        "settles_early": lambda: chance.uniform(0.05, 0.5),
        "zeros_failed": lambda: chance.uniform(0.15, 0.5),
        "foreign_writes_per_hour": lambda: chance.uniform(15.0, 50.0),
        "refusing": lambda: (_refusing(chance, most, seconds),),
        "webhooks_lost": lambda: chance.uniform(0.05, 0.5),
        "list_lag": lambda: chance.uniform(5.0, 60.0),
        "idle_removed_after": lambda: chance.uniform(10.0, 50.0),
        "crashes_per_hour": lambda: chance.uniform(4.0, 30.0),
        "crash_in_step": lambda: chance.uniform(0.01, 0.035),
        "replies_lost": lambda: chance.uniform(0.01, 0.08),
        "store_replies_lost": lambda: chance.uniform(0.02, 0.2),
        "pauses": lambda: chance.uniform(0.02, 0.15),
    }
    strike = [name for name in kinds if chance.random() < 0.5]
    # A scaler that dies while it notes what another hand has done is rare otherwise.
    if "foreign_writes_per_hour" in strike and "crash_in_step" not in strike and chance.random() < 0.5:
        strike.append("crash_in_step")
    if len(strike) < 4:
        strike = chance.sample(sorted(kinds), 4)
    drawn = {name: kinds[name]() for name in strike}
    late, standstill = chance.choice((10.0, 30.0, 60.0)), chance.choice((10.0, 60.0, 60.0, 240.0))
    return replace(Faults(late=late, standstill=standstill), **drawn)  # type: ignore[arg-type]  # by name


def _refusing(chance: Random, most: int, seconds: float) -> Refusing:
    begins = chance.uniform(0.0, seconds)
    return Refusing(
        begins=begins, ends=begins + chance.uniform(60.0, 400.0), instances=chance.randint(1, most)
    )
