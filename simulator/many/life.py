"""PURE: lives through the world of a seed, beside other scalers in the same one, and tells what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulator.cells.desk import END
from simulator.cells.world import CellsWorld
from simulator.many.judge import Judge
from simulator.many.story import LAST, Story
from simulator.many.worlds import LEAST_JOBS, TIMES, World, world_of
from simulator.plain_pool import POLICIES, simulate_plain

LEAST_FAULTS = 5
LEAST_LOWERS = 10

# Once nothing new goes wrong: leases that nobody gives back come to their hard end, what has waited for their room is served
# (a kind of job that was taken for unservable after a quarter of an hour, scaler/core/unservable.py), and the cells close.
PATIENCE_SECONDS = TIMES.lease + 1500.0

STEPS_OF_CLOSING = tuple(
    f"{kind}: {when} {step}"
    for kind, steps in {
        "closing": (
            "close the gate",
            "read the worker pool",
            "note the lower",
            "write zero",
            "leave a failed zero alone",
        ),
        "ending": (END,),
        "confirming": ("read the worker pool", "confirm the zero"),
        "noting": ("note a foreign raise",),
    }.items()
    for step in steps
    for when in ("before", "after")
)
"""Where a scaler may be killed between a decision to close and the note of the zero, one end of a step each."""

# A list that lags harms nobody by itself.
HARMLESS = ("list behind",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What came of one world. `lost`: jobs by what ended them; `others`: jobs that other scalers killed in this world."""

    seed: int
    jobs: int
    done: int
    lost: Mapping[str, int]
    stopped_by_us: int
    lowers: int
    writes: int
    leases: int
    faults: Mapping[str, int]
    crashes: Mapping[str, int]
    others: Mapping[str, int]
    rest_after: float
    verdicts: tuple[str, ...] = ()
    story: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether enough has happened for the world to prove anything."""
        struck = sum(number for fault, number in self.faults.items() if fault not in HARMLESS)
        return self.jobs >= LEAST_JOBS and struck >= LEAST_FAULTS and self.lowers >= LEAST_LOWERS


def live(seed: int, *, most_told: int | None = LAST) -> Life:
    """The world of a seed, and what other scalers make of it; see `lived`."""
    plan = world_of(seed)
    return replace(lived(plan, most_told=most_told), others=others_kills(plan))


def lived(plan: World, *, most_told: int | None = LAST) -> Life:
    """What comes of a world. `most_told`: how much of the story is kept, None for all; it is given when a promise is broken,
    or all of it was asked for.
    """
    pool_of = {
        f"{pool}-{number:03}": pool
        for pool, sizes in plan.sizes.items()
        for number in range(1, len(sizes) + 1)
    }
    judge = Judge(Story(most_told), pool_of=pool_of, most=plan.most)
    world = CellsWorld(
        plan.trace,
        plan.assumptions,
        plan.faults,
        policy=plan.policy,
        sizes=plan.sizes,
        processes=plan.processes,
        times=TIMES,
        faults_end=plan.faults_end,
        patience=PATIENCE_SECONDS,
        bystander=judge,
    )
    judge.watch(world)
    outcome = world.run()
    judge.conclude()
    jobs = world.github.jobs
    told = judge.verdicts or most_told is None
    return Life(
        seed=plan.seed,
        jobs=len(jobs),
        done=sum(job.succeeded for job in jobs),
        lost=Counter(str(job.stopped_by) for job in jobs if job.ended_at is not None and not job.succeeded),
        stopped_by_us=world.witnessed.killed_runners,
        lowers=outcome.lowering_writes,
        writes=outcome.writes,
        leases=outcome.registrations,
        faults=world.witnessed.faults,
        crashes=world.witnessed.crashes,
        others={},
        rest_after=judge.story.now() - plan.faults_end,
        verdicts=tuple(judge.verdicts),
        story=judge.story.lines() if told else (),
    )


def others_kills(plan: World) -> dict[str, int]:
    """How many jobs each other scaler stops in the same world: the same jobs, delays and those of its faults that it knows."""
    return {
        policy: simulate_plain(policy, plan.trace, plan.assumptions, plan.faults).killed
        for policy in POLICIES
    }
