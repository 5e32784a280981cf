"""The protocol's guards, each with a way to remove it alone. Every one of these worlds must end with a kill.

Knows which names the shells look their guards up by; does nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from cell_records import codec
from cell_records import record as guards
from cell_records.record import CellRecord, CellState, Gate, Lease, Outcome
from scaler import cell_keeper, lease_desk
from scaler.core import cell_steps
from scaler.core.cell import next_step
from scaler.core.cell_steps import Look, Reading, SetCount, Steps
from tests.simulation.agent import Ends
from tests.simulation.cloud import Etags
from tests.simulation.weather import Span, Weather
from tests.simulation.world import Plan

Transition = Callable[[CellRecord], Outcome]
Remove = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """`guard`: the sentence of the protocol that is removed; `plan`: a world that needs it."""

    name: str
    guard: str
    remove: Remove
    plan: Plan


def nothing(_: pytest.MonkeyPatch) -> None:
    """The plan itself removes the guard."""


def close_over_leases(patch: pytest.MonkeyPatch) -> None:
    def closed(record: CellRecord) -> Outcome:
        return replace(record, gate=Gate.CLOSED, zero_seen=False)

    closed.__qualname__ = guards.closed.__qualname__
    patch.setattr(cell_steps, "closed", closed)
    read_anything(patch)


def end_closes_over_other_leases(patch: pytest.MonkeyPatch) -> None:
    def ended(record: CellRecord, *, close: bool, **said: object) -> Outcome:
        after = guards.ended(record, close=False, **said)  # type: ignore[arg-type]  # handed through
        if close and isinstance(after, CellRecord):
            return replace(after, gate=Gate.CLOSED, zero_seen=False)
        return after

    patch.setattr(lease_desk, "ended", ended)
    read_anything(patch)


def lease_behind_a_closed_gate(patch: pytest.MonkeyPatch) -> None:
    def leased(record: CellRecord, lease: Lease, **facts: float) -> Outcome:
        outcome = guards.leased(replace(record, gate=Gate.OPEN), lease, **facts)  # type: ignore[arg-type]  # handed through
        return replace(outcome, gate=record.gate) if isinstance(outcome, CellRecord) else outcome

    patch.setattr(lease_desk, "leased", leased)
    read_anything(patch)


def lease_to_any_age(patch: pytest.MonkeyPatch) -> None:
    def leased(record: CellRecord, lease: Lease, *, uptime_seconds: float, **facts: float) -> Outcome:
        return guards.leased(record, lease, uptime_seconds=0.0, **facts)  # type: ignore[arg-type]  # handed through

    patch.setattr(lease_desk, "leased", leased)
    park = lease_desk.LeaseDesk.park
    # Parking looks at the age too, only to spare everybody a question.
    patch.setattr(
        lease_desk.LeaseDesk,
        "park",
        lambda desk, cell, ask: park(desk, cell, replace(ask, uptime_seconds=0.0)),
    )


def reopen_while_closing(patch: pytest.MonkeyPatch) -> None:
    def opened(record: CellRecord, *, now: float, settle_seconds: float) -> Outcome:
        if record.state is CellState.CLOSING:
            return replace(record, gate=Gate.OPEN)
        return guards.opened(record, now=now, settle_seconds=settle_seconds)

    patch.setattr(cell_steps, "opened", opened)


def raise_to_less(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        cell_steps,
        "raise_target",
        lambda *, wanted, size, observed: min(wanted, size) if wanted != observed else None,
    )


def confirm_any_count(patch: pytest.MonkeyPatch) -> None:
    """No count is looked at, neither while closing nor at zero."""

    def confirmed(record: CellRecord, *, count: int, settled: bool, now: float) -> Outcome:
        return guards.zero_confirmed(record, count=0, settled=settled, now=now)

    patch.setattr(cell_steps, "zero_confirmed", confirmed)
    patch.setattr(
        cell_steps,
        "next_step",
        lambda state, **read: next_step(state, **{**read, "count": 0}),
    )


def confirm_unsettled(patch: pytest.MonkeyPatch) -> None:
    def confirmed(record: CellRecord, *, count: int, settled: bool, now: float) -> Outcome:
        return guards.zero_confirmed(record, count=count, settled=True, now=now)

    patch.setattr(cell_steps, "zero_confirmed", confirmed)
    patch.setattr(
        cell_steps,
        "next_step",
        lambda state, **read: next_step(state, **{**read, "settled": True}),
    )
    raise_over_what_is_under_way(patch)


def confirm_by_an_old_reading(patch: pytest.MonkeyPatch) -> None:
    def only_as_read(_: CellRecord, transition: Transition) -> Transition:
        def as_it_stands(record: CellRecord) -> Outcome:
            return transition(record)

        as_it_stands.__qualname__ = "only_as_read"
        return as_it_stands

    patch.setattr(cell_steps, "only_as_read", only_as_read)
    raise_over_what_is_under_way(patch)


def lower_whatever_the_record_says(patch: pytest.MonkeyPatch) -> None:
    """The record is not looked at again after the reading whose etag the lower names."""

    def lowering(**_: object) -> Steps:
        reading: Reading = yield Look.WORKER_POOL
        if reading.count:
            yield SetCount(reading=reading, count=0)

    patch.setattr(cell_steps, "lowering", lowering)


def leases_time_out_by_silence(patch: pytest.MonkeyPatch) -> None:
    def timed_out(record: CellRecord, *, now: float) -> CellRecord:
        early = tuple(replace(lease, hard_end=lease.started_at + 60.0) for lease in record.leases)
        return guards.timed_out(replace(record, leases=early), now=now)

    patch.setattr(cell_keeper, "timed_out", timed_out)


def raise_over_what_is_under_way(patch: pytest.MonkeyPatch) -> None:
    # A raise from zero waits for whatever is under way, a template or a zero: a second fence, taken away with the first.
    patch.setattr(cell_steps, "_at_rest", lambda _: True)


def read_anything(patch: pytest.MonkeyPatch) -> None:
    # The codec refuses a closed gate over leases as another hand's work: a second fence, taken away with the first.
    patch.setattr(codec, "contradiction", lambda _: None)


# Nothing is wrong but what a mutation needs: short cycles of opening, serving and closing.
BUSY = Weather(
    boot_seconds=Span(least=1.0, most=5.0),
    rollout_seconds=Span(least=0.5, most=3.0),
    parked_for_seconds=Span(least=1_000.0, most=2_000.0),
    lists_lag_seconds=5.0,
)

# Writes that arrive after their sender has given up, to a cloud that works at once.
LATE_WRITES = replace(
    BUSY,
    freeze=0.0005,
    patch_late=0.5,
    patch_late_seconds=Span(least=20.0, most=300.0),
    patch_doubled=0.4,
)

# A zero whose victims are stopped minutes after it was reported.
LATE_KILLS = replace(BUSY, kill_late=1.0, kill_late_seconds=Span(least=100.0, most=400.0))

# Rollouts that take minutes, while containers come and go.
SLOW_ROLLOUTS = replace(
    BUSY,
    rollout_seconds=Span(least=60.0, most=250.0),
    settles_early_seconds=40.0,
    parked_for_seconds=Span(least=20.0, most=100.0),
)

# "Settled" comes up to a minute before the victims are chosen.
EARLY_WORD = replace(
    SLOW_ROLLOUTS,
    rollout_seconds=Span(least=50.0, most=60.0),
    settles_early_seconds=60.0,
    parked_for_seconds=Span(least=5.0, most=30.0),
)

LONG_JOBS = replace(BUSY, job_seconds=Span(least=80.0, most=140.0))

MUTATIONS = (
    Mutation(
        name="no settle time",
        guard="ZERO opens only after zeroed_at + S",
        remove=nothing,
        plan=Plan(settle_seconds=0.0, weather=EARLY_WORD, jobs_every_seconds=20.0),
    ),
    Mutation(
        name="raise without etag",
        guard="a raise names the etag of its observation",
        remove=nothing,
        plan=Plan(
            etags=Etags.IGNORED_ON_RAISE,
            weather=LATE_WRITES,
            sizes={"cell-a": 4},
            most_instances=4,
            jobs_every_seconds=40.0,
        ),
    ),
    Mutation(
        name="lower without etag",
        guard="a lower names the etag of its observation",
        remove=nothing,
        plan=Plan(etags=Etags.IGNORED_ON_ZERO, weather=LATE_WRITES),
    ),
    Mutation(
        name="the end of one lease closes over others",
        guard="the gate closes with the last lease only",
        remove=end_closes_over_other_leases,
        plan=Plan(weather=LONG_JOBS, sizes={"cell-a": 3}, jobs_every_seconds=250.0, linger_seconds=0.0),
    ),
    Mutation(
        name="zero before it has settled",
        guard="CLOSING ends at a settled reading",
        remove=confirm_unsettled,
        plan=Plan(weather=SLOW_ROLLOUTS),
    ),
    Mutation(
        name="lease to a boot from before the zero",
        guard="boots older than the last zero never get a lease",
        remove=lease_to_any_age,
        plan=Plan(weather=LATE_KILLS),
    ),
    Mutation(
        name="end before the runner is reaped",
        guard="end comes only after every process is reaped",
        remove=nothing,
        plan=Plan(ends=Ends.AT_A_LINE, weather=BUSY),
    ),
    Mutation(
        name="leases removed for their age",
        guard="a lease leaves only by its five witnesses",
        remove=leases_time_out_by_silence,
        plan=Plan(weather=LONG_JOBS),
    ),
)
