"""PURE: what one decision is made of while it grows: the budgets that pools draw from, and the plan that they fill."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaler.core.model import Grant, Limit, PoolPicture, Raise
from scaler.core.sharing import Closable


@dataclass(slots=True)
class Budget:
    """What one tick may still use; pools draw from it one after another."""

    instances: int
    registrations: int
    writes: int
    shrink_writes: int


@dataclass(slots=True, kw_only=True)
class Plan:
    """The growing decision of one tick."""

    grants: list[Grant] = field(default_factory=list)
    raises: list[Raise] = field(default_factory=list)
    closable: list[Closable] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    pools: list[PoolPicture] = field(default_factory=list)
    allowed: dict[str, int] = field(default_factory=dict)
    surplus: set[str] = field(default_factory=set)
    confirm: set[str] = field(default_factory=set)
    memory: dict[str, float] = field(default_factory=dict)
    look_again_at: float
