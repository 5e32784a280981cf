"""PURE: what one decision is made of while it grows: the budgets that pools draw from, and the plan that they fill."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaler.core.model import Grant, Keep, Limit, PoolPicture, Raise
from scaler.core.pacing import GrowthWrites
from scaler.core.sharing import Closable


@dataclass(slots=True)
class Budget:
    """What one tick may still use; pools draw from it one after another.

    `capacity`: how many more instances Cloud Run is known to allow, None for any number; `tries`: raises above that.
    """

    instances: int
    capacity: int | None
    tries: int
    registrations: int
    writes: GrowthWrites
    shrink_writes: int

    def within_capacity(self, more: int) -> int:
        """How many of `more` instances one raise may ask for: what Cloud Run is known to allow, then one try."""
        if self.capacity is None:
            return more
        if self.capacity > 0:
            more = min(more, self.capacity)
            self.capacity -= more
            return more
        if self.tries > 0:
            self.tries -= 1
            return more
        return 0


@dataclass(slots=True, kw_only=True)
class Plan:
    """The growing decision of one tick."""

    grants: list[Grant] = field(default_factory=list)
    raises: list[Raise] = field(default_factory=list)
    closable: list[Closable] = field(default_factory=list)
    kept: list[Keep] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    pools: list[PoolPicture] = field(default_factory=list)
    allowed: dict[str, int] = field(default_factory=dict)
    surplus: set[str] = field(default_factory=set)
    confirm: set[str] = field(default_factory=set)
    memory: dict[str, float] = field(default_factory=dict)
    look_again_at: float
