"""The protocol's guards, each with a way to remove it alone and the smallest setting in which its loss kills.

Names are those of `tests/simulation`, where the same guards are removed from the running programs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cell_records import record as real
from cell_records.record import CellRecord, CellState, Gate, Lease, Outcome
from scaler.core import cell as core
from tests.model.parts import Rules, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One guard. `says`: the protocol's sentence; `stands`: where the code has it; `without`: everything but it.

    `steps`: length of the shortest story to a kill without it, from an open field to the runner's stop.
    """

    name: str
    says: str
    stands: str
    without: Rules
    steps: int
    boots: int = 1
    size: int = 1
    scalers: int = 1
    foreign: int = 0
    losses: int = 0
    rollouts: int = 0

    @property
    def setting(self) -> Setting:
        """The world that lacks this guard."""
        return Setting(
            boots=self.boots,
            size=self.size,
            scalers=self.scalers,
            foreign=self.foreign,
            losses=self.losses,
            rollouts=self.rollouts,
            rules=self.without,
        )


def opened_at_once(record: CellRecord, *, now: float, settle_seconds: float) -> Outcome:
    return real.opened(record, now=now, settle_seconds=0.0)


def opened_though_held(record: CellRecord, *, now: float, settle_seconds: float) -> Outcome:
    outcome = real.opened(replace(record, hold=""), now=now, settle_seconds=settle_seconds)
    return replace(outcome, hold=record.hold) if isinstance(outcome, CellRecord) else outcome


def leased_though_held(record: CellRecord, lease: Lease, **facts: float) -> Outcome:
    outcome = real.leased(replace(record, hold=""), lease, **facts)  # type: ignore[arg-type]  # handed through
    return replace(outcome, hold=record.hold) if isinstance(outcome, CellRecord) else outcome


def reopened_while_closing(record: CellRecord, *, now: float, settle_seconds: float) -> Outcome:
    if record.state is CellState.CLOSING:
        return replace(record, gate=Gate.OPEN)
    return real.opened(record, now=now, settle_seconds=settle_seconds)


def closed_over_leases(record: CellRecord) -> Outcome:
    return replace(record, gate=Gate.CLOSED, zero_seen=False) if record.gate is Gate.OPEN else record


def ended_over_others(record: CellRecord, *, close: bool, **said: object) -> Outcome:
    after = real.ended(record, close=False, **said)  # type: ignore[arg-type]  # handed through
    if close and isinstance(after, CellRecord) and after.gate is Gate.OPEN:
        return replace(after, gate=Gate.CLOSED, zero_seen=False)
    return after


def leased_behind_a_closed_gate(record: CellRecord, lease: Lease, **facts: float) -> Outcome:
    outcome = real.leased(replace(record, gate=Gate.OPEN), lease, **facts)  # type: ignore[arg-type]  # handed through
    return replace(outcome, gate=record.gate) if isinstance(outcome, CellRecord) else outcome


def leased_at_any_age(record: CellRecord, lease: Lease, *, uptime_seconds: float, **facts: float) -> Outcome:
    return real.leased(record, lease, uptime_seconds=0.0, **facts)  # type: ignore[arg-type]  # handed through


def timed_out_by_silence(record: CellRecord, *, now: float) -> CellRecord:
    early = tuple(replace(lease, hard_end=lease.started_at + 60.0) for lease in record.leases)
    return real.timed_out(replace(record, leases=early), now=now)


def confirmed_at_any_count(record: CellRecord, *, count: int, settled: bool, now: float) -> Outcome:
    return real.zero_confirmed(record, count=0, settled=settled, now=now)


def stepped_at_any_count(state: CellState, *, count: int, settled: bool, failed: bool) -> core.Step:
    return core.next_step(state, count=0, settled=settled, failed=failed)


def confirmed_unsettled(record: CellRecord, *, count: int, settled: bool, now: float) -> Outcome:
    return real.zero_confirmed(record, count=count, settled=True, now=now)


def stepped_unsettled(state: CellState, *, count: int, settled: bool, failed: bool) -> core.Step:
    return core.next_step(state, count=count, settled=True, failed=failed)


def lowering_unnoted(record: CellRecord, *, now: float) -> Outcome:
    outcome = real.lowering(record, now=now)
    return record if isinstance(outcome, CellRecord) else outcome


def first_record_of_anything(*, owner: str, uid: str, count: int, settled: bool, now: float) -> Outcome:
    return real.first_record(owner=owner, uid=uid, count=0, settled=True, now=now)


def raised_to_less(*, wanted: int, size: int, observed: int) -> int | None:
    return min(wanted, size) if wanted != observed else None


RECORD, WRITER, AGENT = "cell_records/record.py", "scaler/core/cell_steps.py", "runner_agent/lifecycle"
ROLLOUT = "scaler/rollout/steps.py"

GUARDS = (
    Guard(
        name="no settle time",
        says="ZERO opens only after zeroed_at + S",
        stands=f"{RECORD} opened",
        without=Rules(opened=opened_at_once),
        steps=18,
    ),
    Guard(
        name="raise without etag",
        says="a raise names the etag of its observation",
        stands=f"{WRITER} raising",
        without=Rules(raise_names_etag=False),
        boots=2,
        size=2,
        steps=12,
    ),
    Guard(
        name="raise to less",
        says="a raise is never below what is there",
        stands="scaler/core/cell.py raise_target",
        without=Rules(raise_target=raised_to_less),
        boots=2,
        size=2,
        steps=12,
    ),
    Guard(
        name="close over leases",
        says="the gate closes iff no lease stands",
        stands=f"{RECORD} closed",
        without=Rules(closed=closed_over_leases),
        steps=12,
    ),
    Guard(
        name="the end of one lease closes over others",
        says="the gate closes with the last lease only",
        stands=f"{RECORD} ended",
        without=Rules(ended=ended_over_others),
        boots=2,
        size=2,
        steps=18,
    ),
    Guard(
        name="lower without etag",
        says="a lower names the etag of its observation",
        stands=f"{WRITER} lowering",
        without=Rules(lower_names_etag=False),
        steps=23,
    ),
    Guard(
        name="lower whatever the record says",
        says="a lower looks at the record after its reading",
        stands=f"{WRITER} lowering",
        without=Rules(lower_looks_at_record=False),
        scalers=2,
        steps=17,
    ),
    Guard(
        name="reopen while closing",
        says="a lower is never aborted",
        stands=f"{RECORD} opened",
        without=Rules(opened=reopened_while_closing),
        steps=13,
    ),
    Guard(
        name="confirm any count",
        says="CLOSING ends at a reading of 0",
        stands=f"{RECORD} zero_confirmed",
        without=Rules(zero_confirmed=confirmed_at_any_count, next_step=stepped_at_any_count),
        steps=19,
    ),
    Guard(
        name="zero before it has settled",
        says="CLOSING ends at a settled reading",
        stands=f"{RECORD} zero_confirmed",
        without=Rules(zero_confirmed=confirmed_unsettled, next_step=stepped_unsettled),
        steps=18,
    ),
    Guard(
        name="confirm by an old reading",
        says="the reading of zero begins after the record was read",
        stands=f"{WRITER} only_as_read",
        without=Rules(only_as_read=False),
        scalers=2,
        steps=18,
    ),
    Guard(
        name="lower unnoted",
        says="a lower is noted before it is sent, so an earlier zero cannot be confirmed over it",
        stands=f"{RECORD} lowering",
        without=Rules(lowering=lowering_unnoted),
        scalers=2,
        steps=18,
    ),
    Guard(
        name="lease behind a closed gate",
        says="a lease is added iff the gate is open",
        stands=f"{RECORD} leased",
        without=Rules(leased=leased_behind_a_closed_gate),
        steps=12,
    ),
    Guard(
        name="lease to a boot from before the zero",
        says="boots older than the last zero never get a lease",
        stands=f"{RECORD} leased",
        without=Rules(leased=leased_at_any_age),
        steps=19,
    ),
    Guard(
        name="end before the runner is reaped",
        says="end comes only after every process is reaped",
        stands=f"{AGENT}/serving.py review_leased",
        without=Rules(end_when_reaped=False),
        steps=13,
    ),
    Guard(
        name="leases removed for their age",
        says="a lease leaves only by its five witnesses",
        stands=f"{RECORD} timed_out",
        without=Rules(timed_out=timed_out_by_silence),
        steps=13,
    ),
    Guard(
        name="start on a late answer",
        says="the agent starts only on the answer to its present ask",
        stands=f"{AGENT}/parking.py step_parked",
        without=Rules(present_ask_only=False),
        steps=14,
    ),
    Guard(
        name="witness 4 on a record that has changed",
        says="leases given since the reading are none of the business of witness 4",
        stands="scaler/cell_keeper.py _zeroed",
        without=Rules(zeroed_only_as_read=False),
        boots=2,
        scalers=2,
        foreign=1,
        steps=24,
    ),
    Guard(
        name="first record of anything",
        says="a cell without a record gets one at a settled zero only",
        stands=f"{RECORD} first_record",
        without=Rules(first_record=first_record_of_anything),
        losses=1,
        steps=17,
    ),
    Guard(
        name="template without etag",
        says="a new template names the etag of a reading",
        stands=f"{ROLLOUT} changing",
        without=Rules(template_names_etag=False),
        scalers=2,
        rollouts=1,
        steps=16,
    ),
    Guard(
        name="template over instances",
        says="a template is written behind a closed gate, under a hold, on a reading of 0",
        stands=f"{ROLLOUT} _without_leases",
        without=Rules(template_waits_for_zero=False),
        scalers=2,
        rollouts=1,
        steps=14,
    ),
    Guard(
        name="raise over a template under way",
        says="a raise from zero waits for what is under way",
        stands=f"{WRITER} raising",
        without=Rules(raise_waits_for_rest=False),
        scalers=2,
        rollouts=1,
        steps=16,
    ),
)

# What the code checks besides, and whose loss costs money or time but, as far as these settings reach, no job: a raise that
# arrives in a closed cell brings instances that get no lease and are lowered again.
SPARE = Rules(raise_looks_at_record=False)

# The hold brings a verb to its end, and keeps scalers from giving leases where a template is about to be written. That no job is
# lost without it is the work of the three guards above.
WITHOUT_HOLDS = Rules(opened=opened_though_held, leased=leased_though_held)
