"""Sums over many worlds, and whether they prove what they are meant to prove."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulator.many.life import STEPS_OF_CLOSING, Life

LEAST_CRASHES = 100
"""How often a scaler must have been killed at each end of each step of closing, over ten thousand worlds."""
WORLDS = 10_000


@dataclass(slots=True, kw_only=True)
class Totals:
    """`replaced`: seeds whose worlds had too little happening in them; they were judged all the same."""

    worlds: int = 0
    replaced: int = 0
    jobs: int = 0
    done: int = 0
    stopped_by_us: int = 0
    lowers: int = 0
    writes: int = 0
    leases: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    broken: list[Life] = field(default_factory=list)
    last_seed: int = 0

    def add(self, life: Life) -> None:
        """One more world."""
        self.last_seed = max(self.last_seed, life.seed)
        if life.verdicts:
            self.broken.append(life)
        # Whoever is stopped is counted in any world.
        self.stopped_by_us += life.stopped_by_us
        if not life.counts:
            self.replaced += 1
            return
        self.worlds += 1
        self.jobs += life.jobs
        self.done += life.done
        self.lowers += life.lowers
        self.writes += life.writes
        self.leases += life.leases
        for total, of_life in (
            (self.lost, life.lost),
            (self.faults, life.faults),
            (self.crashes, life.crashes),
            (self.others, life.others),
        ):
            total.update(of_life)

    @property
    def wanted_crashes(self) -> int:
        """At each end of each step; in fewer worlds fewer, and at least one."""
        return max(1, LEAST_CRASHES * min(self.worlds, WORLDS) // WORLDS)

    @property
    def too_few(self) -> tuple[str, ...]:
        """Steps of closing at which too few scalers were killed."""
        return tuple(step for step in STEPS_OF_CLOSING if self.crashes[step] < self.wanted_crashes)

    @property
    def faultless(self) -> bool:
        """Whether the run proves what it should."""
        return not (self.broken or self.stopped_by_us or self.too_few)
