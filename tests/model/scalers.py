"""What a scaler does, step by step in the order of `scaler/core/cell_steps.py`; between any two it may stand still for ever.

A compare-and-set that was overtaken is tried again on what stands there, so each is one step. A scaler that dies is one that
stands still; its successor begins at IDLE. What it sent stays under way: after the last look at the record, sending a write and
its arrival are one step, since nothing of ours lies between them. Nobody leads: any scaler may begin anything at any time.
"""

from __future__ import annotations

from collections.abc import Iterator

from cell_records.record import CellState
from scaler.core.cell import Step
from tests.model.parts import TEMPLATE, At, Boot, Boots, Cell, Change, Gate, Held, Move, Phase, Setting
from tests.model.records import Records, Written, with_held

RAISE_RECORD = {1: At.RAISE_RECORD, 2: At.RAISE_RECORD_MORE, 3: At.RAISE_RECORD_MOST}
# Where the record must still be the one that was read; and what becomes of a reading of zero that another zero has followed.
AS_READ = (At.LIST_ZERO, At.CONFIRM_READ, At.CONFIRM_CAS, At.CONFIRM_CAS_UNSURE, At.BACK_CAS)
UNSURE = {At.CONFIRM_CAS: At.CONFIRM_CAS_UNSURE, At.CREATE_CAS: At.CREATE_CAS_UNSURE}
RAISED_TO = {at: count for count, at in RAISE_RECORD.items()}


def scaler_moves(setting: Setting, records: Records, cell: Cell, boots: Boots, at: At) -> Iterator[Move]:
    """Every next step of a scaler that stands there."""
    if at is At.IDLE:
        yield from _begun(setting, records, cell, boots)
        return
    if at in (At.LOWER_READ, At.LOWER_RECORD):
        yield _lower(setting, records, cell, boots, at)
    elif at is At.RAISE_READ:
        yield from _raise_read(setting, cell, boots)
    elif at in (At.TEMPLATE_READ, At.TEMPLATE_SEND, At.RELEASE_CAS):
        yield _rollout(setting, cell, boots, at)
    elif at in RAISED_TO:
        yield _raise_record(setting, records, cell, boots, at)
    else:
        yield _carry(setting, records, cell, boots, at)
    yield Move("dies, and another is started in its place", cell, boots, calm=False)


def _rollout_begun(setting: Setting, records: Records, cell: Cell, boots: Boots) -> Iterator[Move]:
    """A verb that changes templates; any scaler of the model may be one too."""
    if cell.gate is not Gate.LOST and not cell.held:
        held = cell._replace(held=True)
        yield Move("CAS: holds the cell", held, boots, Change.RECORD, calm=False)
    # The code asks for more of a closing cell: a zero that has failed.
    closed = (CellState.CLOSING, CellState.ZERO)
    shut = records.state(cell.gate) in closed or not setting.rules.template_waits_for_zero
    if cell.held and shut and cell.rollouts_left:
        yield Move("reads the record: held, the gate closed", cell, boots, mine=At.TEMPLATE_READ, calm=False)
    if cell.held and (cell.settled or not setting.rules.released_at_rest):
        # Given up, or changed: it makes no difference to the cell.
        yield Move("finds nothing under way, and is to release the cell", cell, boots, mine=At.RELEASE_CAS)


def _rollout(setting: Setting, cell: Cell, boots: Boots, at: At) -> Move:
    if at is At.RELEASE_CAS:
        return Move("CAS: releases the cell", cell._replace(held=False), boots, Change.RECORD)
    if at is At.TEMPLATE_READ:
        told = f"reads the worker pool: count {cell.asked_for}"
        writes = (cell.asked_for == 0 and cell.settled) or not setting.rules.template_waits_for_zero
        return Move(told, cell, boots, mine=At.TEMPLATE_SEND if writes else At.IDLE)
    spent = cell._replace(rollouts_left=max(0, cell.rollouts_left - 1))
    if not cell.rollouts_left:
        return Move("has no template left to write", spent, boots)
    return _sent(spent, boots, TEMPLATE)


def _carry(setting: Setting, records: Records, cell: Cell, boots: Boots, at: At) -> Move:
    match at:
        case At.LIST_CLOSING | At.LIST_ZERO:
            return _listed(setting, cell, boots, at)
        case At.CONFIRM_READ:
            return _zero_read(records, cell, boots)
        case At.CONFIRM_CAS | At.CONFIRM_CAS_UNSURE:
            return _confirmed(records, cell, boots, sure=at is At.CONFIRM_CAS)
        case At.CREATE_CAS | At.CREATE_CAS_UNSURE:
            return _created(cell, boots, sure=at is At.CREATE_CAS)
        case At.BACK_CAS:
            written = records.count_found_at_zero(cell.gate, boots)
            return _cas("notes that the cell is closing again", cell, boots, written)
        case _:
            written = records.zeroed_by_others(cell.gate, boots)
            told = "ends all leases, since another hand has zeroed the cell (witness 4)"
            return _cas(told, cell, boots, written)


def _begun(setting: Setting, records: Records, cell: Cell, boots: Boots) -> Iterator[Move]:
    state = records.state(cell.gate)
    if state is None:
        yield _first_looked(records, cell, boots)
    if setting.rollouts:
        yield from _rollout_begun(setting, records, cell, boots)
    written = records.opened(cell.gate, boots, held=cell.held)
    if written is not None:
        opened = _cas("opens the gate, to raise the cell", cell, boots, written, At.RAISE_READ)
        yield opened._replace(calm=False)
    elif state is CellState.OPEN:
        yield Move("means to raise the open cell", cell, boots, mine=At.RAISE_READ, calm=False)
    written = records.closed(cell.gate, boots)
    if written is not None:
        yield _cas("closes the gate", cell, boots, written, At.LOWER_READ)
    if state is CellState.CLOSING:
        yield Move("reads the record: closing", cell, boots, mine=At.LIST_CLOSING)
    if state is CellState.ZERO:
        yield Move("reads the record: zero", cell, boots, mine=At.LIST_ZERO)
    if _zeroed_and_silent(cell, boots) and records.zeroed_by_others(cell.gate, boots) is not None:
        yield Move(
            "has seen a count of 0 and heard nobody for the settle time", cell, boots, mine=At.ZEROED_CAS
        )


def _zeroed_and_silent(cell: Cell, boots: Boots) -> bool:
    """Witness 4: an open cell with leases at a zero, settled for the settle time. So the zero has come true (A5), and an ask
    that nobody answered is no longer waited for.
    """
    if (
        cell.gate is not Gate.OPEN
        or cell.asked_for
        or not cell.settled
        or not any(boot.held for boot in boots)
    ):
        return False
    return not any(
        boot.stands or (boot.phase is Phase.PARKED and boot.held is Held.PRESENT_ASK) for boot in boots
    )


def _listed(setting: Setting, cell: Cell, boots: Boots, at: At) -> Move:
    read = CellState.CLOSING if at is At.LIST_CLOSING else CellState.ZERO
    step = setting.rules.next_step(read, count=cell.asked_for, settled=cell.settled, failed=False)
    settled = "settled" if cell.settled else "not settled"
    told = f"lists the worker pools: count {cell.asked_for}, {settled}; so: {step.value}"
    mine = {
        Step.NOTHING: At.IDLE,
        Step.LOWER: At.LOWER_READ,
        Step.CONFIRM_ZERO: At.CONFIRM_READ,
        Step.BACK_TO_CLOSING: At.BACK_CAS,
    }[step]
    return Move(told, cell, boots, mine=mine)


def _zero_read(records: Records, cell: Cell, boots: Boots) -> Move:
    settled = "settled" if cell.settled else "not settled"
    told = f"reads the worker pool: count {cell.asked_for}, {settled}"
    # What the transition will say to this reading it says now: it depends on nothing else of the record.
    if (
        records.zero_confirmed(Gate.CLOSING, _nobody(boots), count=cell.asked_for, settled=cell.settled)
        is None
    ):
        return Move(told, cell, boots)
    sure = cell.asked_for == 0 and cell.settled
    return Move(told, cell, boots, mine=At.CONFIRM_CAS if sure else At.CONFIRM_CAS_UNSURE)


def _confirmed(records: Records, cell: Cell, boots: Boots, *, sure: bool) -> Move:
    written = records.zero_confirmed(cell.gate, boots, count=0, settled=True)
    if written is None:
        return Move("cannot note a zero", cell, boots)
    written = written._replace(gate=Gate.COOLING if sure else Gate.COOLING_UNSURE)
    move = _cas("notes the zero", cell, boots, written)
    return move._replace(boots=_aged(move.boots))


def _aged(boots: Boots) -> Boots:
    return tuple(boot._replace(old=True) if boot.phase is Phase.PARKED else boot for boot in boots)


def _first_looked(records: Records, cell: Cell, boots: Boots) -> Move:
    told = f"finds no record, and reads the worker pool: count {cell.asked_for}"
    if not records.may_begin(count=cell.asked_for, settled=cell.settled):
        return Move(told, cell, boots)
    sure = cell.asked_for == 0 and cell.settled
    return Move(told, cell, boots, mine=At.CREATE_CAS if sure else At.CREATE_CAS_UNSURE)


def _created(cell: Cell, boots: Boots, *, sure: bool) -> Move:
    gate = Gate.COOLING if sure else Gate.COOLING_UNSURE
    return Move("CAS: writes a first record", cell._replace(gate=gate), _aged(boots), Change.RECORD)


def _lower(setting: Setting, records: Records, cell: Cell, boots: Boots, at: At) -> Move:
    if at is At.LOWER_READ and (cell.asked_for == 0 or setting.rules.lower_looks_at_record):
        told = f"reads the worker pool: count {cell.asked_for}"
        return Move(told, cell, boots, mine=At.LOWER_RECORD if cell.asked_for else At.IDLE)
    if at is At.LOWER_READ:
        return _sent(cell, boots, 0)
    allowed, written = records.lowering(cell.gate, boots)
    if not allowed:
        return Move("finds the cell no longer closing, so sends no zero", cell, boots)
    sent = _sent(cell, boots, 0)
    if written is None:
        return sent
    return sent._replace(told=f"CAS: notes that it lowers; {sent.told}", change=Change.RECORD)


def _raise_record(setting: Setting, records: Records, cell: Cell, boots: Boots, at: At) -> Move:
    state = records.state(cell.gate)
    if state is CellState.OPEN or not setting.rules.raise_looks_at_record:
        return _sent(cell, boots, RAISED_TO[at])
    return Move(f"looks at the record: {state.value if state else 'none'}, so no raise is sent", cell, boots)


def _raise_read(setting: Setting, cell: Cell, boots: Boots) -> Iterator[Move]:
    told = f"reads the worker pool: count {cell.asked_for}"
    if setting.rollouts and setting.rules.raise_waits_for_rest and not (cell.asked_for or cell.settled):
        yield Move(f"{told}, and something is under way, so no raise is sent", cell, boots)
        return
    targets = {
        setting.rules.raise_target(wanted=wanted, size=setting.size, observed=cell.asked_for)
        for wanted in range(1, setting.size + 1)
    }
    raises = sorted(target for target in targets if target is not None)
    for target in raises:
        yield Move(f"{told}, and is to raise it to {target}", cell, boots, mine=RAISE_RECORD[target])
    if not raises:
        yield Move(f"{told}, and need not raise it", cell, boots)


def _sent(cell: Cell, boots: Boots, count: int) -> Move:
    what = "a template" if count == TEMPLATE else f"{count}"
    told = f"sends the write of {what} with the etag of its reading"
    return Move(told, cell._replace(under_way=cell.under_way | {count}), boots)


def _cas(told: str, cell: Cell, boots: Boots, written: Written | None, mine: At = At.IDLE) -> Move:
    if written is None:
        return Move(f"{told}: refused", cell, boots)
    return Move(
        f"CAS: {told}", cell._replace(gate=written.gate), with_held(boots, written), Change.RECORD, mine=mine
    )


def _nobody(boots: Boots) -> Boots:
    return (Boot(),) * len(boots)


def overtaken(setting: Setting, at: At, change: int) -> At:
    """Where a scaler stands once another's step has made what it had read old.

    Whoever holds a stale etag would be refused and read again; whoever needs the record as it was read would be refused and
    begin again.
    """
    if change & Change.ETAG:
        at = At.LOWER_READ if at is At.LOWER_RECORD else At.RAISE_READ if at in RAISED_TO else at
        if at is At.TEMPLATE_SEND and setting.rules.template_names_etag:
            at = At.IDLE
    if change & Change.RECORD:
        at = _with_another_record(setting, at)
    return UNSURE.get(at, at) if change & Change.LOWERED else at


def _with_another_record(setting: Setting, at: At) -> At:
    rules = setting.rules
    if at in (At.CREATE_CAS, At.CREATE_CAS_UNSURE) or (at is At.ZEROED_CAS and rules.zeroed_only_as_read):
        return At.IDLE
    if not rules.only_as_read:
        return UNSURE.get(at, at)
    if at is At.LIST_CLOSING:
        return At.LOWER_READ
    return At.IDLE if at in AS_READ else at
