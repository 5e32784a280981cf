"""What a state of the model is made of: the cell, its boots, and where each scaler stands. Values only, all small.

A state knows no clock. What the protocol says about time is an event that may happen once its conditions hold (`cloud.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from cell_records import record as real
from scaler.core import cell as core


class Gate(IntEnum):
    """The record's gate, with how much of the settle time has passed since its zero."""

    OPEN = 0
    CLOSING = 1
    COOLING = 2
    COOLING_UNSURE = 3  # noted without a settled reading of this very zero: A5 says nothing about it
    RESTED = 4
    LOST = 5  # there is no record: unknown, not empty


class Author(IntEnum):
    """Whose lower has doomed an instance."""

    NOBODY = 0
    OTHERS = 1
    OURS = 2


class Phase(IntEnum):
    """The life of a boot. A parked one asks all the time. GHOST: only its lease is left."""

    ABSENT = 0
    PARKED = 1
    RUNNING = 2
    REAPED = 3
    GHOST = 4


class Held(IntEnum):
    """The lease of a boot, seen from its present ask. Older asks differ in nothing, so they are one."""

    NONE = 0
    OLDER_ASK = 1
    PRESENT_ASK = 2


class Boot(NamedTuple):
    """One boot. `old`: born before the last zero was noted. `doomed`: stopped some time, for that author's lower."""

    phase: Phase = Phase.ABSENT
    old: bool = False
    doomed: Author = Author.NOBODY
    held: Held = Held.NONE

    @property
    def stands(self) -> bool:
        """Whether Cloud Run counts it."""
        return self.phase in (Phase.PARKED, Phase.RUNNING, Phase.REAPED) and not self.doomed

    @property
    def killed(self) -> bool:
        """Whether a live runner is to be stopped by a count of ours: what must never be."""
        return self.phase is Phase.RUNNING and self.doomed is Author.OURS


ABSENT = Boot()
Boots = tuple[Boot, ...]


# A write of the template, among the counts that are under way.
TEMPLATE = -1


class Cell(NamedTuple):
    """Record and worker pool, without what belongs to a boot.

    `asked_for`: the worker pool's count. `at_work`: instances of before a zero may still appear, and its victims may still be
    chosen. `under_way`: counts of writes with the present etag that were sent and may arrive; TEMPLATE stands for a template.
    `stale`: the same with an older etag, where a setting accepts those. `held`: the record has a hold. `replacing`: a template
    that has arrived may replace any instance until it has settled.
    """

    gate: Gate = Gate.RESTED
    asked_for: int = 0
    settled: bool = True
    at_work: Author = Author.NOBODY
    foreign_left: int = 0
    losses_left: int = 0
    under_way: frozenset[int] = frozenset()
    stale: frozenset[int] = frozenset()
    held: bool = False
    replacing: bool = False
    rollouts_left: int = 0


class At(IntEnum):
    """Where a scaler stands: the next thing it does. Steps are those of `scaler/core/cell_steps.py`, in its order."""

    IDLE = 0
    LIST_CLOSING = 1
    LIST_ZERO = 2
    CONFIRM_READ = 3
    CONFIRM_CAS = 4
    CONFIRM_CAS_UNSURE = 5
    BACK_CAS = 6
    LOWER_READ = 7
    LOWER_RECORD = 8
    RAISE_READ = 9
    RAISE_RECORD = 10
    RAISE_RECORD_MORE = 11
    RAISE_RECORD_MOST = 12
    ZEROED_CAS = 13
    CREATE_CAS = 14
    CREATE_CAS_UNSURE = 15
    TEMPLATE_READ = 16
    TEMPLATE_SEND = 17
    RELEASE_CAS = 18


class Change(IntEnum):
    """What a step has changed that others may rest on; to be added up."""

    NOTHING = 0
    ETAG = 1
    RECORD = 2
    LOWERED = 4


class Move(NamedTuple):
    """One step. `who`: the boot's place it is about, or None; `mine`: where the scaler that made it stands now.

    `calm`: it happens also where nothing fails and no job is queued.
    """

    told: str
    cell: Cell
    boots: Boots
    change: int = 0
    who: int | None = None
    mine: At = At.IDLE
    calm: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Every guard, as the code has it. A mutation replaces one."""

    opened: Callable[..., real.Outcome] = real.opened
    closed: Callable[..., real.Outcome] = real.closed
    leased: Callable[..., real.Outcome] = real.leased
    voided: Callable[..., real.Outcome] = real.voided
    ended: Callable[..., real.Outcome] = real.ended
    job_completed: Callable[..., real.Outcome] = real.job_completed
    timed_out: Callable[..., real.CellRecord] = real.timed_out
    zeroed_by_others: Callable[..., real.Outcome] = real.zeroed_by_others
    zero_confirmed: Callable[..., real.Outcome] = real.zero_confirmed
    count_found_at_zero: Callable[..., real.Outcome] = real.count_found_at_zero
    lowering: Callable[..., real.Outcome] = real.lowering
    first_record: Callable[..., real.Outcome] = real.first_record
    next_step: Callable[..., core.Step] = core.next_step
    raise_target: Callable[..., int | None] = core.raise_target
    raise_names_etag: bool = True
    lower_names_etag: bool = True
    lower_looks_at_record: bool = True
    raise_looks_at_record: bool = True
    only_as_read: bool = True
    zeroed_only_as_read: bool = True
    end_when_reaped: bool = True
    present_ask_only: bool = True
    template_names_etag: bool = True
    template_waits_for_zero: bool = True
    raise_waits_for_rest: bool = True
    released_at_rest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How large the world is, and which rules hold in it.

    `boots`: how many there may be at a time, dead ones whose lease stands included; one that has left no trace makes room for
    another, so a story may have any number. `size`: the largest count. `foreign`: how many writes other hands may make.
    `losses`: how often the record may be lost. `rollouts`: how many templates may be written; without any, a raise does not look
    whether something is under way, so that the guards on zeros show what they are worth alone.
    """

    boots: int = 3
    size: int = 2
    scalers: int = 2
    foreign: int = 1
    losses: int = 0
    rollouts: int = 0
    rules: Rules = field(default_factory=Rules)

    def __str__(self) -> str:
        """In words, for the table of what was explored."""
        parts = [(self.boots, "boot"), (self.scalers, "scaler"), (self.foreign, "foreign write")]
        if self.losses:
            parts.append((self.losses, "lost record"))
        if self.rollouts:
            parts.append((self.rollouts, "new template"))
        return ", ".join((*(_counted(*part) for part in parts), f"counts to {self.size}"))

    def first(self) -> tuple[Cell, Boots, tuple[At, ...]]:
        """A cell at a rested zero, nobody there."""
        return (
            Cell(foreign_left=self.foreign, losses_left=self.losses, rollouts_left=self.rollouts),
            (ABSENT,) * self.boots,
            (At.IDLE,) * self.scalers,
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
