"""PURE: calls that are answered once, by whoever was asked or by the end of the connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from simulator.cells.agent import Lost
from simulator.cells.times import CALL_SECONDS
from simulator.virtual_time import VirtualTime

T = TypeVar("T")


class Call:
    """One call that is answered once, or given up."""

    def __init__(self, answer: Callable[[T | Lost], None]) -> None:
        self._answer: Callable[[object], None] | None = answer  # type: ignore[assignment]  # T is the caller's

    def answered(self, said: object) -> None:
        """The first answer is the answer."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(said)

    def lost(self) -> None:
        """No answer comes."""
        self.answered(Lost())


class OpenCalls:
    """The calls that one process has taken and not answered yet."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._open: dict[Call, None] = {}

    def taken(self, answer: Callable[[T | Lost], None]) -> Callable[[T], None]:
        """What to answer such a call with."""
        call = Call(answer)
        self._open[call] = None
        return partial(self._answered, call)

    def break_all(self) -> None:
        """The process dies, and who has asked learns at once that no answer comes."""
        for call in self._open:
            self._time.after(CALL_SECONDS, call.lost)
        self._open.clear()

    def _answered(self, call: Call, said: object) -> None:
        self._open.pop(call, None)
        call.answered(said)
