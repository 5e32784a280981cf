"""The record between two worlds: from a state of the model to the real `CellRecord`, through a real transition, and back.

Each (record, transition) is put to the real function once and remembered. Moments are chosen so that every comparison the
function makes comes out as the state says: inside or outside the settle time, born before or after the zero.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from cell_records import record as real
from tests.model.parts import ABSENT, Boots, Gate, Held, Phase, Rules

NOW = 100_000.0
SETTLE_SECONDS = 80.0
ZEROED_AGO = {
    Gate.OPEN: 1_000.0,
    Gate.CLOSING: 1_000.0,
    Gate.COOLING: 40.0,
    Gate.COOLING_UNSURE: 40.0,
    Gate.RESTED: 90.0,
    Gate.LOST: 1_000.0,
}
# An old lease that is not: where its age is no witness, a lease of ten minutes stands.
STARTED_AGO = 600.0
OWNER, UID = "acme", "uid"
RUNNER, JOB = 7, 70


class Written(NamedTuple):
    """A record as a transition has left it. `retired`: places of boots that have had their lease."""

    gate: Gate
    held: tuple[Held, ...]
    retired: frozenset[int]


class Records:
    """The real transitions, as steps from state to state; None where one refuses or changes nothing."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._states: dict[Gate, real.CellState] = {
            gate: self._record(gate, (), None).state for gate in Gate if gate is not Gate.LOST
        }
        self._known: dict[tuple[object, ...], tuple[bool, Written | None]] = {}

    def opened(self, gate: Gate, boots: Boots, *, held: bool = False) -> Written | None:
        """ZERO -> OPEN; None also where it is open already."""
        return self._put("opened", gate, boots, hold=held, now=NOW, settle_seconds=SETTLE_SECONDS)

    @property
    def asked(self) -> int:
        """How many different questions were put to the real functions."""
        return len(self._known)

    def closed(self, gate: Gate, boots: Boots) -> Written | None:
        """OPEN -> CLOSING."""
        return self._put("closed", gate, boots)

    def leased(self, gate: Gate, boots: Boots, who: int, *, held: bool = False) -> Written | None:
        """The boot's present ask gets its lease. Room is never short: it is a matter of cost."""
        lease = self._lease(who, Held.PRESENT_ASK)
        born = NOW - ZEROED_AGO[gate] + (-500.0 if boots[who].old else 5.0)
        return self._put("leased", gate, boots, lease, hold=held, uptime_seconds=NOW - born, room=99, now=NOW)

    def voided(self, gate: Gate, boots: Boots, who: int) -> Written | None:
        """The boot has asked again."""
        return self._put("voided", gate, boots, boot=str(who), ask=int(Held.PRESENT_ASK), now=NOW)

    def ended(self, gate: Gate, boots: Boots, who: int, *, close: bool, held: bool = False) -> Written | None:
        """The boot gives its lease back."""
        return self._put(
            "ended",
            gate,
            boots,
            hold=held,
            lease_id=self._lease(who, boots[who].held).id,
            boot=str(who),
            close=close,
            job_served=True,
            now=NOW,
        )

    def witnessed(self, gate: Gate, boots: Boots, who: int) -> Written | None:
        """GitHub calls the lease's job completed (2), or its hard end has passed (3); both leave the same record."""
        lease = self._lease(who, boots[who].held)
        completed = self._put(
            "job_completed", gate, boots, lease_id=lease.id, job_id=JOB, runner_id=RUNNER, now=NOW
        )
        late = self._put("timed_out", gate, boots, late=who, now=NOW)
        assert completed == late, (gate, boots, completed, late)
        return late

    def aged(self, gate: Gate, boots: Boots) -> Written | None:
        """Housekeeping looks at leases none of which is past its hard end."""
        return self._put("timed_out", gate, boots, now=NOW)

    def zeroed_by_others(self, gate: Gate, boots: Boots) -> Written | None:
        """Witness 4, on a settled zero over silent instances."""
        return self._put("zeroed_by_others", gate, boots, count=0, settled=True, silent=True, now=NOW)

    def zero_confirmed(self, gate: Gate, boots: Boots, *, count: int, settled: bool) -> Written | None:
        """CLOSING -> ZERO."""
        return self._put("zero_confirmed", gate, boots, count=count, settled=settled, now=NOW)

    def lowering(self, gate: Gate, boots: Boots) -> tuple[bool, Written | None]:
        """Whether a zero may be written, and what the note of it leaves; None where it leaves all as it was."""
        return self._asked("lowering", gate, boots, now=NOW)

    def count_found_at_zero(self, gate: Gate, boots: Boots) -> Written | None:
        """ZERO -> CLOSING."""
        return self._put("count_found_at_zero", gate, boots)

    def state(self, gate: Gate) -> real.CellState | None:
        """What the real record calls its state; None where there is no record."""
        return self._states.get(gate)

    def may_begin(self, *, count: int, settled: bool) -> bool:
        """Whether a cell without a record gets one on that reading."""
        key = ("first_record", count, settled)
        if key not in self._known:
            first = self._rules.first_record(owner=OWNER, uid=UID, count=count, settled=settled, now=NOW)
            assert isinstance(first, real.Refused) or (first.zero_seen and first.zeroed_at == NOW)
            self._known[key] = (not isinstance(first, real.Refused), None)
        return self._known[key][0]

    def _put(
        self,
        name: str,
        gate: Gate,
        boots: Boots,
        *args: object,
        late: int | None = None,
        hold: bool = False,
        **facts: Any,
    ) -> Written | None:
        return self._asked(name, gate, boots, *args, late=late, hold=hold, **facts)[1]

    def _asked(
        self,
        name: str,
        gate: Gate,
        boots: Boots,
        *args: object,
        late: int | None = None,
        hold: bool = False,
        **facts: Any,
    ) -> tuple[bool, Written | None]:
        if gate is Gate.LOST:
            return False, None  # as `cell_records.change` does
        held = tuple(boot.held for boot in boots)
        key = (name, gate, held, late, hold, *args, *facts.items())
        if key not in self._known:
            before = replace(self._record(gate, boots, late), hold="rollout" if hold else "")
            after = getattr(self._rules, name)(before, *args, **facts)
            made = not isinstance(after, real.Refused)
            changed = made and after != before
            self._known[key] = (made, self._read(after, before=gate, boots=len(boots)) if changed else None)
        return self._known[key]

    @staticmethod
    def _lease(who: int, ask: Held) -> real.Lease:
        return real.Lease(
            id=f"{who}/{int(ask)}",
            boot=str(who),
            ask=int(ask),
            runner_name=f"runner-{who}",
            started_at=NOW - STARTED_AGO,
            hard_end=NOW + STARTED_AGO,
            runner_id=RUNNER,
            job_id=JOB,
        )

    def _record(self, gate: Gate, boots: Boots, late: int | None) -> real.CellRecord:
        leases = [self._lease(who, boot.held) for who, boot in enumerate(boots) if boot.held]
        return real.CellRecord(
            owner=OWNER,
            uid=UID,
            gate=real.Gate.OPEN if gate is Gate.OPEN else real.Gate.CLOSED,
            leases=tuple(replace(it, hard_end=NOW - 1.0) if it.boot == str(late) else it for it in leases),
            zero_seen=gate not in (Gate.OPEN, Gate.CLOSING),
            zeroed_at=NOW - ZEROED_AGO[gate],
        )

    @staticmethod
    def _read(record: real.CellRecord, *, before: Gate, boots: int) -> Written:
        asks = {int(lease.boot): Held(lease.ask) for lease in record.leases}
        match record.state:
            case real.CellState.OPEN:
                gate = Gate.OPEN
            case real.CellState.CLOSING:
                gate = Gate.CLOSING
            case real.CellState.ZERO if before > Gate.CLOSING:
                gate = before
            case real.CellState.ZERO:
                rested = record.zeroed_at + SETTLE_SECONDS < NOW
                gate = Gate.RESTED if rested else Gate.COOLING
        return Written(
            gate=gate,
            held=tuple(asks.get(who, Held.NONE) for who in range(boots)),
            retired=frozenset(int(boot) for boot in record.ended_boots),
        )


def with_held(boots: Boots, written: Written) -> Boots:
    """The boots after a change of the record. A boot that had its lease and runs nothing has no part to play any more."""
    return tuple(
        ABSENT
        if who in written.retired and boot.phase is not Phase.RUNNING
        else boot._replace(held=written.held[who])
        for who, boot in enumerate(boots)
    )
