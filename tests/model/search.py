"""Breadth first through every state of a setting, and the shortest story that leads to a kill.

A state is three small numbers in one: cell, boots, scalers. Boots are interchangeable and so are scalers, so each state is
kept in one order. What cell and boots allow does not depend on the scalers, so it is worked out once and remembered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.model.cloud import cloud_moves
from tests.model.instances import agent_moves
from tests.model.parts import At, Boots, Cell, Move, Setting
from tests.model.records import Records
from tests.model.scalers import overtaken, scaler_moves

V = TypeVar("V", bound=Hashable)
Scalers = tuple[At, ...]
BITS = 20
MASK = (1 << BITS) - 1


class Numbered(Generic[V]):
    """Values with a small number each, in the order in which they turned up."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._numbers: dict[V, int] = {}

    def number(self, value: V) -> int:
        """Its number; a new one if it has none."""
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search has come to. `killed`: the first state with a kill; `parents`: each state's predecessor."""

    states: int
    depth: int
    killed: int | None
    parents: dict[int, int]


class Space:
    """The states of one setting and the steps between them."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.records = Records(setting.rules)
        self._cells: Numbered[Cell] = Numbered()
        self._boots: Numbered[Boots] = Numbered()
        self._scalers: Numbered[Scalers] = Numbered()
        self.overtaken: dict[int, int] = {}
        self.stepped: dict[int, int] = {}
        self._deadly: dict[int, bool] = {}
        cell, boots, scalers = setting.first()
        self.first = self.number(cell, boots, scalers)

    def number(self, cell: Cell, boots: Boots, scalers: Scalers) -> int:
        """The state's number; the same for every order of boots and scalers."""
        return self.place(cell, boots) << BITS | self._scalers.number(tuple(sorted(scalers)))

    def parts(self, state: int) -> tuple[Cell, Boots, Scalers]:
        """What the number stands for."""
        return (
            self._cells.values[state >> 2 * BITS],
            self._boots.values[state >> BITS & MASK],
            self._scalers.values[state & MASK],
        )

    def scalers(self, number: int) -> Scalers:
        """Where the scalers of that number stand."""
        return self._scalers.values[number]

    def killed(self, state: int) -> bool:
        """Whether a live runner is doomed by a write of ours."""
        boots = state >> BITS & MASK
        found = self._deadly.get(boots)
        if found is None:
            found = self._deadly[boots] = any(boot.killed for boot in self._boots.values[boots])
        return found

    def moves(self, cell: Cell, boots: Boots) -> Iterator[Move]:
        """What happens without a scaler."""
        yield from agent_moves(self.setting, self.records, cell, boots)
        yield from cloud_moves(self.setting, cell, boots)

    def scaler_moves(self, cell: Cell, boots: Boots, at: At) -> Iterator[Move]:
        """What a scaler that stands there may do."""
        return scaler_moves(self.setting, self.records, cell, boots, at)

    def place(self, cell: Cell, boots: Boots) -> int:
        """Cell and boots as one number."""
        return self._cells.number(cell) << BITS | self._boots.number(tuple(sorted(boots)))

    def others(self, key: int) -> int:
        """Where scalers stand after another's step; remembered in `overtaken`."""
        scalers = self._scalers.values[key & MASK]
        left = tuple(sorted(overtaken(self.setting, at, key >> BITS) for at in scalers))
        self.overtaken[key] = self._scalers.number(left)
        return self.overtaken[key]

    def step(self, key: int) -> int:
        """The same where one of them made the step; remembered in `stepped`."""
        index, mine, change = key >> BITS & 15, At(key >> BITS + 4 & 31), key >> BITS + 9
        scalers = list(self._scalers.values[key & MASK])
        scalers = [overtaken(self.setting, at, change) for at in scalers]
        scalers[index] = mine
        self.stepped[key] = self._scalers.number(tuple(sorted(scalers)))
        return self.stepped[key]


class Steps:
    """The steps between the states of a space. `calm`: only those that need no fault, no job and no other hand."""

    def __init__(self, space: Space, *, calm: bool = False) -> None:
        self._space = space
        self._calm = calm
        self._by_itself: dict[int, list[tuple[int, int]]] = {}
        self._by_scaler: dict[int, list[tuple[int, int, int]]] = {}

    def after(self, state: int) -> list[int]:
        """Every state one step on."""
        place, scalers = state >> BITS, state & MASK
        by_itself = self._by_itself.get(place)
        if by_itself is None:
            by_itself = self._by_itself[place] = self._work_out_by_itself(place)
        space, found = self._space, []
        overtaken, stepped, known = space.overtaken, space.stepped, self._by_scaler
        for after, change in by_itself:
            key = change << BITS | scalers
            others = overtaken.get(key)
            found.append(after << BITS | (space.others(key) if others is None else others))
        for index, at in enumerate(space.scalers(scalers)):
            by_scaler = known.get(place << 5 | at)
            if by_scaler is None:
                by_scaler = known[place << 5 | at] = self._work_out_by_scaler(place, at)
            for after, change, mine in by_scaler:
                key = ((change << 5 | mine) << 4 | index) << BITS | scalers
                stands = stepped.get(key)
                found.append(after << BITS | (space.step(key) if stands is None else stands))
        return found

    def _work_out_by_itself(self, place: int) -> list[tuple[int, int]]:
        cell, boots, _ = self._space.parts(place << BITS)
        moves = {
            (self._space.place(it.cell, it.boots), it.change)
            for it in self._space.moves(cell, boots)
            if it.calm or not self._calm
        }
        return sorted(moves - {(place, 0)})

    def _work_out_by_scaler(self, place: int, at: At) -> list[tuple[int, int, int]]:
        cell, boots, _ = self._space.parts(place << BITS)
        return sorted(
            {
                (self._space.place(it.cell, it.boots), it.change, int(it.mine))
                for it in self._space.scaler_moves(cell, boots, at)
                if it.calm or not self._calm
            }
        )


def explored(space: Space, *, most_states: int | None = None) -> Found:
    """Every state, level by level, until there is no new one or a kill."""
    steps, parents = Steps(space), {space.first: space.first}
    level, depth = [space.first], 0
    while level:
        new = []
        for state in level:
            for after in steps.after(state):
                if after not in parents:
                    parents[after] = state
                    if space.killed(after):
                        return Found(states=len(parents), depth=depth + 1, killed=after, parents=parents)
                    new.append(after)
        if most_states is not None and len(parents) > most_states:
            return Found(states=len(parents), depth=depth + 1, killed=None, parents=parents)
        level, depth = new, depth + bool(new)
    return Found(states=len(parents), depth=depth, killed=None, parents=parents)
