"""PURE: which of the cells that may be closed are closed now, when the writes do not reach for all.

Deficit round-robin with one write as quantum: each pool in its turn closes the cell that saves the most, instances x idle
time; a pool with more than its share of a tick waits longer for its next turn, so that none can starve another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from scaler.core.model import Close, Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Closable:
    """A cell that is to be closed. `instances`: what it counts; `idle_seconds`: for how long for nothing."""

    pool: str
    close: Close
    instances: int
    idle_seconds: float

    @property
    def saves(self) -> tuple[float, int, str]:
        """The larger the sooner; the name only settles a tie."""
        return (self.instances * self.idle_seconds, self.instances, self.close.cell)


def shared(
    closable: Iterable[Closable], *, pools: Collection[str], writes: int, turns: Turns, at: float
) -> tuple[tuple[Close, ...], Turns]:
    """What is closed with that many writes, in order, and whose turn is next. A cell that counts nothing costs no write.

    `pools`: all that are configured; turns of others are forgotten.
    """
    closable = sorted(closable, key=lambda each: each.saves, reverse=True)
    free = [each.close for each in closable if not each.instances]
    waiting: dict[str, list[Close]] = {}
    for each in closable:
        if each.instances:
            waiting.setdefault(each.pool, []).append(each.close)
    known = turns.before if turns.at == at else turns.after
    # Pools that never had a turn come first.
    before = (*sorted(set(pools) - set(known)), *(name for name in known if name in pools))
    order = list(before)
    chosen: list[Close] = []
    while len(chosen) < writes and any(waiting.values()):
        pool = next(name for name in order if waiting.get(name))
        chosen.append(waiting[pool].pop(0))
        order.remove(pool)
        order.append(pool)
    after = turns if not chosen else Turns(at=at, before=before, after=tuple(order))
    return (*chosen, *free), after
