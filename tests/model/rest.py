"""No dead ends: from every state, without another fault, the cell can come to a noted zero with nobody left in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from tests.model.parts import Gate, Phase
from tests.model.search import Space, Steps


def stuck(space: Space, states: Collection[int]) -> list[int]:
    """The states from which no calm steps lead to rest. `states`: all that can be reached."""
    steps, before = Steps(space, calm=True), defaultdict(list)
    for state in states:
        for after in steps.after(state):
            before[after].append(state)
    at_rest = [state for state in states if _at_rest(space, state)]
    leads_there, ahead = set(at_rest), at_rest
    while ahead:
        for state in before[ahead.pop()]:
            if state not in leads_there:
                leads_there.add(state)
                ahead.append(state)
    return [state for state in states if state not in leads_there]


def _at_rest(space: Space, state: int) -> bool:
    cell, boots, _ = space.parts(state)
    noted = cell.gate not in (Gate.OPEN, Gate.CLOSING)
    return noted and cell.asked_for == 0 and all(boot.phase is Phase.ABSENT for boot in boots)
