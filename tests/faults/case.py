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
    }
)

# Faults after which a pool rests for minutes by design; a scaler that was started anew looks with fresh eyes.
LONG_REST: frozenset[str] = frozenset()

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
    def fresh_eyes(self) -> bool:
        """Whether the scaler is started anew when the faults have ended."""
        return bool(self.faults & LONG_REST)


def names() -> tuple[str, ...]:
    """Every fault that there is, side by side."""
    return (*map(str, cloud.CATALOGUE), *map(str, github.CATALOGUE), *disturber.CATALOGUE)


def single(name: str, *, seed: int = 7) -> Case:
    """A burst under one fault."""
    return _case(name, {name: _numbers(name)}, seed=seed)


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
        elif key in ("seconds", "per_minute"):
            bent[key] = round(value * chance.uniform(0.5, 1.3), 2)
    return bent
