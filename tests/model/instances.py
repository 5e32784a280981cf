"""What boots do by themselves, as protocol.md section 3 obliges the agent: ask, start, reap, and only then end.

Every message of an agent may be late or doubled: while a boot is parked its asks are under way all the time. What arrives of
a dead boot could as well have arrived before it died, but for its lease, which stays as a ghost.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.parts import ABSENT, Author, Boot, Boots, Cell, Change, Held, Move, Phase, Setting
from tests.model.records import Records, Written, with_held

GHOST = Boot(phase=Phase.GHOST, held=Held.OLDER_ASK)


def put(boots: Boots, who: int, boot: Boot) -> Boots:
    """The boots with another in that place."""
    return (*boots[:who], boot, *boots[who + 1 :])


def dead(boot: Boot) -> Boot:
    """What is left of a boot whose container is gone."""
    return GHOST if boot.held else ABSENT


def agent_moves(setting: Setting, records: Records, cell: Cell, boots: Boots) -> Iterator[Move]:
    """Every step an instance, or the record on its behalf, may take now."""
    for who, boot in enumerate(boots):
        match boot.phase:
            case Phase.ABSENT:
                pass
            case Phase.PARKED:
                yield from _parked(setting, records, cell, boots, who)
            case Phase.RUNNING:
                yield from _running(setting, records, cell, boots, who)
            case Phase.REAPED:
                yield from _ends(records, cell, boots, who)
                yield from _witnessed(records, cell, boots, who)
                yield Move(
                    "{boot} goes before its end was heard", cell, put(boots, who, GHOST), 0, who, calm=False
                )
            case Phase.GHOST:
                yield from _witnessed(records, cell, boots, who)


def _parked(setting: Setting, records: Records, cell: Cell, boots: Boots, who: int) -> Iterator[Move]:
    boot = boots[who]
    if boot.held is not Held.PRESENT_ASK:
        written = records.leased(cell.gate, boots, who, held=cell.held)
        if written is not None:
            yield _write("CAS: {boot} gets a lease", cell, boots, written, who)._replace(calm=False)
    if boot.held is Held.PRESENT_ASK or (boot.held and not setting.rules.present_ask_only):
        runs = Boot(phase=Phase.RUNNING, doomed=boot.doomed, held=boot.held)
        yield Move("{boot} hears of its lease and starts the runner", cell, put(boots, who, runs), 0, who)
    if boot.held is Held.PRESENT_ASK:
        again = boot._replace(held=Held.OLDER_ASK)
        told = "{boot} hears nothing in time and drops that ask for ever"
        yield Move(told, cell, put(boots, who, again), 0, who, calm=False)
    if boot.held is Held.OLDER_ASK:
        yield from _voided(records, cell, boots, who)
        yield from _witnessed(records, cell, boots, who)
    yield Move("{boot} is gone", cell, put(boots, who, dead(boot)), 0, who, calm=bool(boot.doomed))


def _running(setting: Setting, records: Records, cell: Cell, boots: Boots, who: int) -> Iterator[Move]:
    boot = boots[who]
    if boot.doomed or not boot.held:
        # Somebody else's stop; how it ended makes no difference to anybody.
        yield Move("{boot} is gone, and its runner", cell, put(boots, who, dead(boot)), 0, who)
    else:
        reaped = Boot(phase=Phase.REAPED, held=boot.held)
        yield Move("{boot} has reaped its runner", cell, put(boots, who, reaped), 0, who)
    if not boot.doomed:
        going = boot._replace(doomed=Author.OTHERS)
        yield Move("Cloud Run pre-empts {boot}", cell, put(boots, who, going), 0, who, calm=False)
    if not setting.rules.end_when_reaped and boot.held:
        yield from _ends(records, cell, boots, who)
    if boot.held is Held.OLDER_ASK:
        yield from _voided(records, cell, boots, who)
    written = records.aged(cell.gate, boots)
    if written is not None:
        yield _write("CAS: leases are removed for their age", cell, boots, written, who)


def _ends(records: Records, cell: Cell, boots: Boots, who: int) -> Iterator[Move]:
    for close in (False, True):
        written = records.ended(cell.gate, boots, who, close=close, held=cell.held)
        if written is not None and (not close or written.gate is not cell.gate):
            gate = " and the gate closes with it" if close else ""
            yield _write("CAS: {boot} ends its lease" + gate, cell, boots, written, who)


def _voided(records: Records, cell: Cell, boots: Boots, who: int) -> Iterator[Move]:
    written = records.voided(cell.gate, boots, who)
    if written is not None:
        yield _write("CAS: {boot} has asked again, which voids its lease", cell, boots, written, who)


def _witnessed(records: Records, cell: Cell, boots: Boots, who: int) -> Iterator[Move]:
    written = records.witnessed(cell.gate, boots, who)
    if written is not None:
        yield _write("CAS: a witness ends the lease of {boot}", cell, boots, written, who)


def _write(told: str, cell: Cell, boots: Boots, written: Written, who: int) -> Move:
    return Move(told, cell._replace(gate=written.gate), with_held(boots, written), Change.RECORD, who)
