"""What stands in the simulated region: worker pools with what was written, reported and is really there, and their containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Author(Enum):
    """Who wrote a count; PLATFORM for stops that no write asked for."""

    OURS = "ours"
    FOREIGN = "foreign"
    PLATFORM = "platform"


class Resident(Protocol):
    """What runs in an instance."""

    def sigterm(self, author: Author) -> None:
        """The platform stops the instance; it is gone within ten seconds."""


@dataclass(slots=True)
class Instance:
    """One container. `doomed`: the platform has chosen it as a victim."""

    number: int
    born: float = 0.0
    resident: Resident | None = None
    doomed: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """A generation on its way to come true. `blame`: who lowered the count, if anybody did."""

    generation: int
    count: int
    blame: Author | None


@dataclass(slots=True)
class Pool:
    """One worker pool: what was written, what is reported, and what is really there."""

    name: str
    size: int
    count: int = 0
    generation: int = 1
    observed_generation: int = 1
    target: int = 0
    instances: list[Instance] = field(default_factory=list)
    reported_at: float = 0.0
    waiting: list[Rollout] = field(default_factory=list)
    rolling: bool = False
    failure: str | None = None

    @property
    def standing(self) -> list[Instance]:
        """Instances that are there, or booting, and no victims."""
        return [each for each in self.instances if not each.doomed and not each.gone]
