"""Cloud Run as the protocol's assumptions allow it, and the settle time as an event.

* A3: a write whose etag is stale is refused. So of all writes under way only those with the present etag are kept.
* A4: only a lower stops anybody. After a zero all that stood are doomed and stopped at any later moment, if ever;
  until the zero has really happened (`at_work`), replacements of them may appear and be doomed too, also long after
  "settled" was said and the zero noted, and whatever stands may still be taken for it. After 2 -> 1 any one goes.
* A7: a template that has settled replaces nobody any more; what starts later is of it. Until then any instance may be replaced.
* A5: once a zero was read as settled and the settle time is over, nothing of before it appears any more, and what appeared
  after the reading is gone. What was up at the reading may linger for ever; its age tells. A zero that was noted without
  such a reading gets no such promise (`COOLING_UNSURE`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.model.instances import GHOST, put
from tests.model.parts import (
    ABSENT,
    TEMPLATE,
    Author,
    Boot,
    Boots,
    Cell,
    Change,
    Gate,
    Held,
    Move,
    Phase,
    Setting,
)


def cloud_moves(setting: Setting, cell: Cell, boots: Boots) -> Iterator[Move]:
    """Everything Cloud Run, time and other hands may do now."""
    yield from _births(cell, boots)
    yield from _late_victims(cell, boots)
    yield from _replaced(cell, boots)
    if not cell.settled:
        settled = cell._replace(settled=True, replacing=False)
        yield Move("Cloud Run says that it has settled", settled, boots)
    yield from _time(cell, boots)
    for count in sorted(cell.under_way | cell.stale):
        if count == TEMPLATE:
            told = f"the write of a template arrives (the count is {cell.asked_for})"
            yield Move(told, _with_template(setting, cell), boots, Change.ETAG)
            continue
        change = Change.ETAG | (Change.LOWERED if count < cell.asked_for else Change.NOTHING)
        told = f"the write of {count} arrives (the count was {cell.asked_for})"
        for after, left in accepted(setting, cell, boots, count, Author.OURS):
            yield Move(told, after, left, change)
    if cell.losses_left and cell.gate is not Gate.LOST:
        yield from _loss(cell, boots)
    if cell.foreign_left:
        yield from _other_hands(setting, cell, boots)


def _loss(cell: Cell, boots: Boots) -> Iterator[Move]:
    """The record is gone; an agent whose answer is under way may have heard it still."""
    after = cell._replace(gate=Gate.LOST, losses_left=cell.losses_left - 1)
    heard = [
        who for who, boot in enumerate(boots) if boot.phase is Phase.PARKED and boot.held is Held.PRESENT_ASK
    ]
    for number in range(len(heard) + 1):
        for starts in combinations(heard, number):
            left = tuple(
                boot._replace(held=Held.NONE, phase=Phase.RUNNING if who in starts else boot.phase)
                if boot.phase in (Phase.PARKED, Phase.RUNNING)
                else ABSENT
                for who, boot in enumerate(boots)
            )
            # A runner is of no age; nobody asks for it again.
            left = tuple(boot._replace(old=False) if boot.phase is Phase.RUNNING else boot for boot in left)
            told = "the record is lost" + (
                ", and who was to hear of a lease does and starts the runner" if starts else ""
            )
            yield Move(told, after, left, Change.RECORD, calm=False)


def _other_hands(setting: Setting, cell: Cell, boots: Boots) -> Iterator[Move]:
    spent = cell._replace(foreign_left=cell.foreign_left - 1)
    for count in sorted(set(range(setting.size + 1)) - {cell.asked_for}):
        told = f"another hand writes {count} (the count was {cell.asked_for})"
        for after, left in accepted(setting, spent, boots, count, Author.OTHERS):
            yield Move(told, after, left, Change.ETAG, calm=False)


def _late_victims(cell: Cell, boots: Boots) -> Iterator[Move]:
    for who, boot in enumerate(boots):
        if cell.at_work and boot.stands:
            left = put(boots, who, doomed(boot, cell.at_work))
            yield Move("Cloud Run takes {boot} for the zero", cell, left, 0, who, calm=False)


def accepted(
    setting: Setting, cell: Cell, boots: Boots, count: int, author: Author
) -> Iterator[tuple[Cell, Boots]]:
    """What a write of `count` may lead to: a new etag, and for a lower every choice of victims."""
    after = cell._replace(asked_for=count, settled=False, under_way=frozenset(), stale=_kept(setting, cell))
    standing = [who for who, boot in enumerate(boots) if boot.stands]
    if count >= cell.asked_for:
        yield after, boots
        return
    if count == 0:
        after = after._replace(at_work=max(author, cell.at_work))
    lost = len(standing) if count == 0 else min(cell.asked_for - count, len(standing))
    for victims in combinations(standing, lost):
        left = boots
        for who in victims:
            left = put(left, who, doomed(left[who], author))
        yield after, left


def doomed(boot: Boot, author: Author) -> Boot:
    """A victim. Of one whose runner is reaped only the lease matters any more."""
    return GHOST if boot.phase is Phase.REAPED else boot._replace(doomed=author)


def _with_template(setting: Setting, cell: Cell) -> Cell:
    """A new etag; whatever stands is replaced at any moment until it has settled."""
    return cell._replace(
        settled=False, replacing=True, under_way=frozenset(), stale=_kept(setting, cell) - {TEMPLATE}
    )


def _kept(setting: Setting, cell: Cell) -> frozenset[int]:
    """The writes under way that a new etag does not stop."""
    rules = setting.rules
    names_etag = {TEMPLATE: rules.template_names_etag, 0: rules.lower_names_etag}
    return frozenset(
        each for each in cell.under_way | cell.stale if not names_etag.get(each, rules.raise_names_etag)
    )


def _replaced(cell: Cell, boots: Boots) -> Iterator[Move]:
    for who, boot in enumerate(boots):
        if cell.replacing and boot.stands:
            left = put(boots, who, doomed(boot, Author.OURS))
            yield Move("Cloud Run replaces {boot} for the new template", cell, left, 0, who, calm=False)


def _births(cell: Cell, boots: Boots) -> Iterator[Move]:
    free = next((who for who, boot in enumerate(boots) if boot.phase is Phase.ABSENT), None)
    if free is None:
        return
    if sum(boot.stands for boot in boots) < cell.asked_for:
        yield Move("{boot} appears", cell, put(boots, free, Boot(phase=Phase.PARKED)), 0, free, calm=False)
    if cell.at_work:
        late = Boot(phase=Phase.PARKED, doomed=cell.at_work)
        told = "{boot} appears late, from before the zero, and is doomed"
        yield Move(told, cell, put(boots, free, late), 0, free, calm=False)


def _time(cell: Cell, boots: Boots) -> Iterator[Move]:
    told = "the settle time since the zero is over"
    if cell.gate is Gate.COOLING_UNSURE:
        yield Move(told, cell._replace(gate=Gate.RESTED), boots)
    if cell.gate is Gate.COOLING and not any(
        boot.phase is Phase.PARKED and boot.doomed is Author.OURS and not boot.old for boot in boots
    ):
        yield Move(told, cell._replace(gate=Gate.RESTED, at_work=Author.NOBODY), boots)
