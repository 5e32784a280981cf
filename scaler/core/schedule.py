"""PURE: what an admin wants of a pool at a moment: its schedule applied.

Of the entries that cover the moment the last one wins, whole; what it does not say, and all other time, is what the pool says.
"""

from __future__ import annotations

from dataclasses import replace

from scaler.core.calendar import ScheduleEntry
from scaler.core.model import Policy, PoolPolicy

# Wall clocks everywhere differ by whole minutes, and entries begin and end at whole ones.
_MINUTE_SECONDS = 60


def entry_at(pool: PoolPolicy, at: float) -> ScheduleEntry | None:
    """The entry that holds now, if any."""
    return next((entry for entry in reversed(pool.schedule) if entry.span.covers(at)), None)


def pool_at(pool: PoolPolicy, at: float) -> PoolPolicy:
    """The pool as it is wanted at a moment, without a schedule; `rule` says in words which entry holds.

    A min or warm that an entry leaves to the pool is cut to the entry's max.
    """
    entry = entry_at(pool, at)
    if entry is None:
        return replace(pool, schedule=()) if pool.schedule else pool
    most = pool.max if entry.max is None else entry.max
    return replace(
        pool,
        schedule=(),
        rule=entry.words,
        max=most,
        min=min(pool.min, most) if entry.min is None else entry.min,
        warm=min(pool.warm, most) if entry.warm is None else entry.warm,
    )


def policy_at(policy: Policy, at: float) -> Policy:
    """The deployment as it is wanted at a moment."""
    if not any(pool.schedule for pool in policy.pools):
        return policy
    return replace(policy, pools=tuple(pool_at(pool, at) for pool in policy.pools))


def next_change(policy: Policy, *, after: float, until: float) -> float:
    """The first whole minute in (after, until] from which another entry of any pool holds than before; else `until`."""
    now = [entry_at(pool, after) for pool in policy.pools]
    moment = (after // _MINUTE_SECONDS + 1) * _MINUTE_SECONDS
    while moment <= until:
        if any(entry_at(pool, moment) is not before for pool, before in zip(policy.pools, now, strict=True)):
            return moment
        moment += _MINUTE_SECONDS
    return until
