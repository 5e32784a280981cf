"""PURE: what goes wrong in a simulated world, and how often. Chances are per call or event; times are seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusing:
    """A span of time, seconds since the trace began, in which the region allows only so many instances in all."""

    begins: float
    ends: float
    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The default is a fine day.

    Of Cloud Run: `preemptions_per_hour` (a SIGTERM to any instance, busy or not), `writes_refused` (429), `writes_unanswered`
    (made, but nobody learns of it), `writes_late` (made after `late` seconds, unanswered), `writes_doubled` (arrives a second
    time after `late` seconds), `settles_early` (the operation is called over though victims still live for `late` seconds),
    `zeros_failed` (a lower to zero is taken and not carried out: the count is 0, the instances stay), `refusing` (no CPU
    quota). Of other hands: `foreign_writes_per_hour` (somebody sets the count of a cell to anything). Of GitHub:
    `webhooks_lost`, `list_lag` (a job that has started is still listed as queued for so long, also when it is over),
    `idle_removed_after` (a listening runner without a job is taken away). Of the deployment: `crashes_per_hour` (a scaler is
    killed at any moment and replaced by another), `crash_in_step` (it is killed at a step of opening, raising, closing or
    zeroing a cell, of a lease's start or end, before it or after it), `replies_lost` (between scaler and instance), `pauses`
    (a scaler stands still at such a step for up to `standstill` seconds), `store_replies_lost` (a change of a record was made,
    and that is learnt late).
    """

    preemptions_per_hour: float = 0.0
    writes_refused: float = 0.0
    writes_unanswered: float = 0.0
    writes_late: float = 0.0
    writes_doubled: float = 0.0
    settles_early: float = 0.0
    zeros_failed: float = 0.0
    foreign_writes_per_hour: float = 0.0
    refusing: tuple[Refusing, ...] = ()
    webhooks_lost: float = 0.0
    list_lag: float = 0.0
    idle_removed_after: float = float("inf")
    crashes_per_hour: float = 0.0
    crash_in_step: float = 0.0
    replies_lost: float = 0.0
    store_replies_lost: float = 0.0
    pauses: float = 0.0
    standstill: float = 60.0
    late: float = 60.0


NO_FAULTS = Faults()
