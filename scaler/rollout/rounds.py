"""PURE: what a verb does next, from what stands in the records and in Cloud Run now.

Nothing is remembered between two rounds that may not be lost: killed anywhere and run again, a verb finds its own holds and goes
on. At most `at_once` cells are held, idle ones before busy ones; a canary, where one is wished, is changed and judged alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from cell_records.record import CellRecord, CellState
from scaler.rollout.canary import Trial, broken, proven, verdict
from scaler.rollout.cells import (
    ROLLOUT,
    CellNow,
    Goal,
    Stage,
    Standing,
    Task,
    busy,
    is_open,
    order,
    rests_until,
    standing,
)
from scaler.rollout.steps import zero_failed


class Do(Enum):
    """One step of one cell; each may be repeated, and each looks again at what it rests on."""

    HOLD = "hold the cell, making its record if it has none"
    LEAVE_HELD = "keep it held, for whichever command with this verb comes next"
    CLOSE = "close the gate and write zero"
    CARRY = "carry a closed cell on"
    WRITE = "change its worker pool"
    RELEASE = "end the hold, nothing was changed"
    RELEASE_ANEW = "end the hold, its worker pool was changed"
    RELEASE_CANARY = "end the hold, and let jobs try it first"
    END_TRIAL = "the canary is a cell like any other"
    DELETE = "delete its worker pool"
    FORGET = "remove its record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is to be done with which cell."""

    do: Do
    cell: str


class End(Enum):
    """How a verb ends."""

    DONE = "every cell is as wished"
    LEFT = "every other cell is as wished"
    FAILED = "a new template has failed"
    RIVAL = "another hand changes the same cells"
    UNKEPT = "Cloud Run does not show what it was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of `total` cells. `waits`: what a cell under way waits for; `trial`: the canary that waits for a job; `left`: why
    a cell may not be touched.
    """

    actions: tuple[Action, ...]
    waits: dict[str, str]
    as_wished: frozenset[str]
    total: int
    left: dict[str, str]
    trial: str | None = None
    end: End | None = None
    words: str = ""


# How long a canary may stay at zero, though it could open, before another cell is emptied to make room for it: in a pool that
# is at its max, cells that have work never close.
ROOM_AFTER_SECONDS = 60.0


def next_round(task: Task, cells: Sequence[CellNow], *, now: float) -> Round:
    """What to do now, `now` in seconds since the epoch."""
    stands = sorted((standing(task, cell) for cell in cells), key=lambda each: order(each.cell))
    failed = next(_failed(task, stands), None)
    if failed is not None:
        return _stopped(task, stands, *failed)
    if any(each.rival for each in stands):
        return _round(stands, given_up(task, cells), end=End.RIVAL)
    unkept = next((each for each in stands if each.unkept), None)
    if unkept is not None:
        words = f"{unkept.cell.name}: {', '.join(unkept.unkept)}"
        return _round(stands, given_up(task, cells), end=End.UNKEPT, words=words)
    waits: dict[str, str] = {}
    trial = None
    if task.canary and not _is_proven(stands):
        actions, trial = _canary(task, stands, waits, now=now)
    else:
        actions = _all(task, stands, waits, now=now)
    ends = None
    if all(each.stage in (Stage.DONE, Stage.LEFT) for each in stands) and trial is None:
        actions = [*actions, *_trials_over(stands)]
        ends = None if actions else End.LEFT if any(each.stage is Stage.LEFT for each in stands) else End.DONE
    return _round(stands, actions, waits=waits, trial=trial, end=ends)


def given_up(task: Task, cells: Sequence[CellNow]) -> tuple[Action, ...]:
    """What is left of a verb that ends before its work: the cells that it holds serve again, but those stay held that Cloud Run
    still works on or cannot start, and a changed one of which no cell has shown yet that it works.

    A drain or a deletion stays as far as it has come: nobody wants jobs there.
    """
    if task.goal is not Goal.CHANGE:
        return ()
    stands = [standing(task, cell) for cell in cells]
    held = [each for each in stands if each.stage is Stage.CHANGING and not each.unclaimed]
    tried = not task.canary or _is_proven(stands)
    return tuple(Action(do=_let_go(each, tried=tried), cell=each.cell.name) for each in held)


def _let_go(each: Standing, *, tried: bool) -> Do:
    reading = None if each.cell.document is None else each.cell.document.reading
    if reading is None or not reading.rests or (each.met and not tried):
        return Do.LEAVE_HELD
    if each.met or each.unkept:
        return Do.LEAVE_HELD if broken(reading) else Do.RELEASE_ANEW
    return Do.RELEASE


def _failed(task: Task, stands: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """Cells with the wished template, or with what Cloud Run made of it, that show that it does not work, with what they show."""
    if task.wish is None or task.wish.field != "template":
        return
    for each in stands:
        record, document = each.cell.record, each.cell.document
        if not (each.met or each.unkept) or record is None or document is None:
            continue
        if each.stage is Stage.CHANGING and document.reading.rests:
            failure = broken(document.reading)
            if failure is not None:
                yield each.cell.name, f"Cloud Run cannot carry it out: {failure}"
        elif each.stage is Stage.DONE and task.canary:
            found = verdict(record, document.reading)
            if found.trial is Trial.FAILED:
                yield each.cell.name, found.words


def _stopped(task: Task, stands: Sequence[Standing], cell: str, words: str) -> Round:
    """The cell that failed is held, so that no more jobs meet its template; all that was not changed serves again."""
    others = [each.cell for each in stands if each.cell.name != cell]
    actions = (Action(do=Do.LEAVE_HELD, cell=cell), *given_up(task, others))
    return _round(stands, actions, end=End.FAILED, words=f"cell {cell}: {words}")


def _is_proven(stands: Sequence[Standing]) -> bool:
    """Whether some cell shows that the wished template works: its trial has passed, or it has served with it before."""
    done = [each.cell for each in stands if each.stage is Stage.DONE and each.met]
    return any(
        proven(cell.record) or verdict(cell.record, cell.document.reading).trial is Trial.PASSED
        for cell in done
        if cell.record is not None and cell.document is not None
    )


def _canary(
    task: Task, stands: Sequence[Standing], waits: dict[str, str], *, now: float
) -> tuple[list[Action], str | None]:
    """One cell is changed and judged; what else this verb holds serves on meanwhile."""
    trial = next((each for each in stands if each.stage is Stage.DONE and _on_trial(each.cell)), None)
    changing = [each for each in stands if each.stage is Stage.CHANGING]
    if trial is not None:
        waits[trial.cell.name] = "canary: " + _words_of_trial(trial.cell)
        return _room_for(task, trial.cell, stands, waits, now=now), trial.cell.name
    changing.sort(key=lambda each: not each.met)
    fresh = [each for each in stands if each.stage is Stage.FRESH]
    if changing:
        first, *others = changing
        actions = [
            *_step(task, first, waits, canary=True, kept=False),
            *(_given_back(each) for each in others if not each.met),
        ]
        return actions, None
    return [Action(do=Do.HOLD, cell=each.cell.name) for each in fresh[:1]], None


def _room_for(
    task: Task, trial: CellNow, stands: Sequence[Standing], waits: dict[str, str], *, now: float
) -> list[Action]:
    """Let go of what is held; but while the canary gets no instance, one other cell is emptied so that it gets one."""
    assert trial.record is not None
    held = [each for each in stands if each.stage is Stage.CHANGING and not each.met]
    could_open = max(trial.record.canary_since, rests_until(trial, settle_seconds=task.settle_seconds))
    if is_open(trial) or now < could_open + ROOM_AFTER_SECONDS:
        return [_given_back(each) for each in held]
    if held:
        first, *others = held
        waits[first.cell.name] = f"makes room for the canary {trial.name}"
        if first.unclaimed:
            return [Action(do=Do.HOLD, cell=first.cell.name)]
        closes = (
            [Action(do=Do.CLOSE, cell=first.cell.name)]
            if is_open(first.cell) and not busy(first.cell)
            else []
        )
        carries = [Action(do=Do.CARRY, cell=first.cell.name)] if _is_closing(first.cell) else []
        return [*closes, *carries, *(_given_back(each) for each in others)]
    fresh = [each.cell for each in stands if each.stage is Stage.FRESH and is_open(each.cell)]
    return [Action(do=Do.HOLD, cell=cell.name) for cell in fresh[:1]]


def _all(task: Task, stands: Sequence[Standing], waits: dict[str, str], *, now: float) -> list[Action]:
    changing = [each for each in stands if each.stage is Stage.CHANGING]
    fresh = [each.cell for each in stands if each.stage is Stage.FRESH]

    def kept(each: Standing) -> bool:
        # A cell that rests cannot serve anyway; held meanwhile, it shows other commands that this one is at work.
        return bool(fresh) and now <= rests_until(each.cell, settle_seconds=task.settle_seconds)

    actions = [
        action for each in changing for action in _step(task, each, waits, canary=False, kept=kept(each))
    ]
    if task.goal is Goal.RELEASE:
        return actions
    taken = [cell for cell in fresh if not busy(cell)]
    if task.goal is not Goal.CHANGE or (
        not taken and all(busy(each.cell) or (each.met and kept(each)) for each in changing)
    ):
        # A busy cell that is held gets no more jobs, maybe for hours; so not before all others are done.
        taken = fresh
    return [*actions, *(Action(do=Do.HOLD, cell=name) for name in _within(task, taken, stands, now=now))]


def _within(task: Task, cells: Sequence[CellNow], stands: Sequence[Standing], *, now: float) -> Iterator[str]:
    """As many of the cells as may be held besides those that are; no open one while too many others rest after their zero."""
    changing = {each.cell.name for each in stands if each.stage is Stage.CHANGING}
    resting = {
        each.cell.name for each in stands if now <= rests_until(each.cell, settle_seconds=task.settle_seconds)
    }
    # A changed cell that stays held while it rests only rests.
    done = {each.cell.name for each in stands if each.met} & resting
    held, away = len(changing - done), len(changing | resting)
    for cell in cells:
        costs = is_open(cell) and task.goal is Goal.CHANGE
        if held < task.at_once and (away < task.at_once or not costs):
            held, away = held + 1, away + (cell.name not in resting)
            yield cell.name


def _step(task: Task, each: Standing, waits: dict[str, str], *, canary: bool, kept: bool) -> Iterator[Action]:
    """What carries one held cell on; `kept`: it stays held for a while when it is changed."""
    cell, name = each.cell, each.cell.name
    record, document = cell.record, cell.document
    if task.goal is Goal.RELEASE:
        # Whoever gave a rollout up may have changed this cell already, and nobody has tried it.
        yield Action(do=Do.RELEASE_ANEW if task.hold == ROLLOUT else Do.RELEASE, cell=name)
    elif each.unclaimed:
        yield Action(do=Do.HOLD, cell=name)
    elif document is None:
        waits[name] = "its worker pool is deleted"
        yield Action(do=Do.FORGET, cell=name)
    elif each.met:
        rests = document.reading.rests
        waits[name] = "changed; it rests after its zero" if rests else "changed; Cloud Run carries it out"
        if rests and not kept:
            yield Action(do=Do.RELEASE_CANARY if canary else Do.RELEASE_ANEW, cell=name)
    elif record is not None:
        yield from _emptied(task, cell, record, waits)


def _emptied(task: Task, cell: CellNow, record: CellRecord, waits: dict[str, str]) -> Iterator[Action]:
    """The way of a held cell to its zero, and what is done there."""
    assert cell.document is not None
    name, reading = cell.name, cell.document.reading
    match record.state:
        case CellState.OPEN if record.leases:
            jobs = len(record.leases)
            waits[name] = f"waits for the end of {jobs} lease{'' if jobs == 1 else 's'}; no new one is given"
        case CellState.OPEN:
            waits[name] = "no lease stands in it: it is closed"
            yield Action(do=Do.CLOSE, cell=name)
        case CellState.CLOSING if zero_failed(reading) and task.goal is not Goal.STAY:
            waits[name] = f"its zero has failed: {reading.failure}"
            yield Action(do=Do.DELETE if task.goal is Goal.DELETE else Do.WRITE, cell=name)
        case CellState.CLOSING:
            waits[name] = f"closing; its count is {reading.count}" + (
                f", which Cloud Run cannot carry out: {reading.failure}" if reading.failure else ""
            )
            yield Action(do=Do.CARRY, cell=name)
        case CellState.ZERO if reading.count != 0:
            waits[name] = f"another hand has set its count to {reading.count}"
            yield Action(do=Do.CARRY, cell=name)
        case CellState.ZERO if not reading.rests:
            waits[name] = "at zero; Cloud Run has not settled"
        case CellState.ZERO:
            waits[name] = "at zero"
            if task.goal is not Goal.STAY:
                yield Action(do=Do.DELETE if task.goal is Goal.DELETE else Do.WRITE, cell=name)
        case _:  # pragma: no cover
            assert_never(record.state)


def _given_back(each: Standing) -> Action:
    return Action(do=Do.HOLD if each.unclaimed else Do.RELEASE, cell=each.cell.name)


def _trials_over(stands: Sequence[Standing]) -> Iterator[Action]:
    for each in stands:
        if each.stage is Stage.DONE and each.met and _on_trial(each.cell):
            yield Action(do=Do.END_TRIAL, cell=each.cell.name)


def _is_closing(cell: CellNow) -> bool:
    return cell.record is not None and cell.record.state is CellState.CLOSING


def _on_trial(cell: CellNow) -> bool:
    return cell.record is not None and cell.record.canary_since > 0.0


def _words_of_trial(cell: CellNow) -> str:
    assert cell.record is not None
    assert cell.document is not None
    return verdict(cell.record, cell.document.reading).words


def _round(
    stands: Sequence[Standing],
    actions: Sequence[Action],
    *,
    waits: dict[str, str] | None = None,
    trial: str | None = None,
    end: End | None = None,
    words: str = "",
) -> Round:
    return Round(
        actions=tuple(actions),
        waits=waits or {},
        as_wished=frozenset(each.cell.name for each in stands if each.stage is Stage.DONE),
        total=len(stands),
        left={each.cell.name: each.why for each in stands if each.stage is Stage.LEFT},
        trial=trial,
        end=end,
        words=words,
    )
