"""What one world of the grid is to suffer: one fault, or a mixture drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from emulator.cloud import faults as cloud
from emulator.github import faults as github
from tests.faults import disturber

Numbers = Mapping[str, float]

# What the catalogues' own numbers are too slow or too rare for: a burst lasts some twenty seconds.
QUICKER: Mapping[str, Numbers] = MappingProxyType(
    {
        "slow-start": {"seconds": 5, "share": 0.7},
        "operation-stuck": {"seconds": 8},
        "instance-dies": {"per_minute": 20},
        "instance-preempted": {"per_minute": 20},
        "early-replacement": {"per_minute": 20, "seconds": 3},
        "foreign-write": {"per_minute": 20, "most_instances": 2},
        "pool-deleted": {"per_minute": 20, "most": 1},
        "write-quota": {"writes_per_minute": 6},
        "github-slow": {"seconds": 18, "share": 0.2},
        "github-reply-lost": {"share": 0.5},
        "primary-limit": {"seconds": 8, "share": 0.2, "most": 1},
        "secondary-limit": {"points_per_minute": 30, "retry_after_seconds": 5},
        "secondary-refusal": {"share": 0.1, "retry_after_seconds": 5, "most": 4},
        "tokens-revoked": {"share": 0.3},
        "clock-skew": {"seconds_ahead": -90},
        "runner-list-lag": {"seconds": 10},
        "runner-list-empty": {"share": 1, "most": 3},
        "busy-lies": {"share": 1},
        "busy-lag": {"seconds": 10},
        "run-hidden": {"seconds": 6},
        "run-shown-queued": {"seconds": 10},
        "job-list-empty": {"seconds": 5},
        "job-lag": {"seconds": 5, "spread_seconds": 5},
        "webhook-late": {"seconds": 8},
        "webhook-reordered": {"seconds": 3},
        "cancelled-before-pick-up": {"share": 0.6},
        "cancelled-by-user": {"seconds": 1, "share": 0.4},
        "assignment-lost": {"share": 0.5},
        "idle-runner-removed": {"seconds": 2, "spread_seconds": 2},
        "job-unassignable": {"seconds": 12, "share": 0.5},
        "runner-dies": {"seconds": 1, "share": 0.4},
        "runner-out-of-memory": {"seconds": 1, "share": 0.4},
    }
)

LISTS_OF_RUNNERS = ("runner-list-lag", "runner-list-incomplete", "runner-list-empty", "busy-lies", "busy-lag")

# Faults that need another one to have anything to do: runners idle only while no job is given to them, and a deaf one
# shows only when it is to be stopped.
COMPANIONS: Mapping[str, Mapping[str, Numbers]] = MappingProxyType(
    {
        "idle-runner-removed": {"job-unassignable": {"seconds": 12, "share": 1}},
        # Lists of runners are asked for when a registration's reply was lost, to find what it may have made.
        **{name: {"github-reply-lost": {"share": 0.7}} for name in LISTS_OF_RUNNERS},
        "runner-deaf": {"instance-preempted": {"per_minute": 20}},
    }
)

# Faults that wait for something that the scaler does not do, so that they cannot strike.
NEVER_PROVOKED: Mapping[str, str] = MappingProxyType(
    {
        "busy-deleted": "no registration that a lease holds is ever removed",
    }
)

STORM_SECONDS = 20.0
MIXTURE_FAULTS = (2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A world to come. `cloud`, `github` and `machine`: the faults of each side with their numbers."""

    name: str
    seed: int
    cloud: Mapping[str, Numbers] = field(default_factory=dict)
    github: Mapping[str, Numbers] = field(default_factory=dict)
    machine: Mapping[str, Numbers] = field(default_factory=dict)
    storm_seconds: float = STORM_SECONDS

    @property
    def faults(self) -> frozenset[str]:
        """Every name."""
        return frozenset({*self.cloud, *self.github, *self.machine})

    @property
    def proves(self) -> frozenset[str]:
        """The faults that must have struck, or the row says nothing; those of a mixture may not all find an occasion."""
        return frozenset({self.name} & self.faults) - set(NEVER_PROVOKED)


def names() -> tuple[str, ...]:
    """Every fault that can meet these worlds, side by side: their records stand in SQLite, so none of Cloud Storage's."""
    of_cloud = [str(each) for each in cloud.CATALOGUE if not each.startswith("storage-")]
    return (*of_cloud, *map(str, github.CATALOGUE), *disturber.CATALOGUE)


def single(name: str, *, numbers: Numbers | None = None, seed: int = 7) -> Case:
    """A burst under one fault, with these numbers or the usual ones."""
    chosen = _numbers(name) if numbers is None else numbers
    return _case(name, {name: chosen, **COMPANIONS.get(name, {})}, seed=seed)


def mixture(number: int) -> Case:
    """Two to four faults, each with numbers of its own; the number is the seed."""
    chance = random.Random(f"mixture-{number}")
    chosen = chance.sample(names(), chance.choice(MIXTURE_FAULTS))
    drawn = {name: _bent(_numbers(name), chance) for name in chosen}
    return _case(f"mixture-{number}", drawn, seed=number)


def _case(name: str, faults: Mapping[str, Numbers], *, seed: int) -> Case:
    return Case(
        name=name,
        seed=seed,
        cloud={each: numbers for each, numbers in faults.items() if each in cloud.CATALOGUE},
        github={each: numbers for each, numbers in faults.items() if each in github.CATALOGUE},
        machine={each: numbers for each, numbers in faults.items() if each in disturber.CATALOGUE},
    )


def _numbers(name: str) -> Numbers:
    """The quick numbers of a fault; what they do not name is the catalogue's."""
    if name in disturber.CATALOGUE:
        return {**disturber.CATALOGUE[name][1], **QUICKER.get(name, {})}
    return QUICKER.get(name, {})


def _bent(numbers: Numbers, chance: random.Random) -> Numbers:
    """The same fault, milder or slower or faster."""
    bent = dict(numbers)
    for key, value in numbers.items():
        if key == "share":
            bent[key] = round(value * chance.uniform(0.3, 1.0), 3)
        elif key == "seconds_ahead":
            bent[key] = round(value * chance.choice((-1.0, 1.0)))
        elif key in ("seconds", "per_minute"):
            bent[key] = round(value * chance.uniform(0.5, 1.3), 2)
    return bent
