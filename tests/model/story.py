"""Tells a way through the states as a numbered story, with a name for each scaler and each instance."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.parts import At, Boots, Move, Phase
from tests.model.scalers import overtaken
from tests.model.search import Found, Scalers, Space


def told(space: Space, found: Found) -> list[str]:
    """The shortest story to the kill that was found, one line a step; the last one is the stop itself."""
    assert found.killed is not None
    way = [found.killed]
    while found.parents[way[-1]] != way[-1]:
        way.append(found.parents[way[-1]])
    teller = _Teller(space)
    lines = [teller.told(before, after) for before, after in zip(way[:0:-1], way[-2::-1], strict=True)]
    boots = space.parts(found.killed)[1]
    victim = next(who for who, boot in enumerate(boots) if boot.killed)
    lines.append(f"KILL: for a write of ours Cloud Run stops {teller.boots[victim]}, whose runner lives")
    return [f"{number:2}. {line}" for number, line in enumerate(lines, 1)]


class _Teller:
    """Follows who is who while states are kept in one order."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._born = 0
        self.boots = [""] * space.setting.boots
        self._scalers = [f"scaler {letter}" for letter in "ABCDEFGH"[: space.setting.scalers]]

    def told(self, before: int, after: int) -> str:
        """The line for one step."""
        _, boots, _ = self._space.parts(before)
        for who, move, scalers in self._steps(before):
            if self._space.number(move.cell, move.boots, scalers) == after:
                if move.who is not None and boots[move.who].phase is Phase.ABSENT:
                    self._born += 1
                    self.boots[move.who] = f"instance {self._born}"
                by = "" if who is None else f"{self._scalers[who]}: "
                line = by + move.told.format(boot="" if move.who is None else self.boots[move.who])
                self._reorder(move.boots, scalers)
                return line
        raise AssertionError("these two states do not follow one another")

    def _steps(self, state: int) -> Iterator[tuple[int | None, Move, Scalers]]:
        cell, boots, scalers = self._space.parts(state)
        for move in self._space.moves(cell, boots):
            yield None, move, self._left(scalers, move)
        for who, at in enumerate(scalers):
            for move in self._space.scaler_moves(cell, boots, at):
                left = list(self._left(scalers, move))
                left[who] = move.mine
                yield who, move, tuple(left)

    def _left(self, scalers: Scalers, move: Move) -> Scalers:
        return tuple(overtaken(self._space.setting, at, move.change) for at in scalers)

    def _reorder(self, boots: Boots, scalers: tuple[At, ...]) -> None:
        self.boots = [self.boots[who] for who in sorted(range(len(boots)), key=boots.__getitem__)]
        self._scalers = [self._scalers[who] for who in sorted(range(len(scalers)), key=scalers.__getitem__)]
