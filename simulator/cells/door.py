"""PURE: the way from an instance to any scaler that lives; calls and answers get lost here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol, TypeVar

from runner_agent.contract import EndReply, Grant
from runner_agent.lifecycle.actions import EndLease, Report
from simulator.cells.agent import Agent, AskRefused, Lost
from simulator.cells.desk import Desk
from simulator.cells.process import ScalerProcess
from simulator.cells.times import CALL_TIMEOUT_SECONDS
from simulator.cells.weather import Weather
from simulator.virtual_time import VirtualTime

T = TypeVar("T")

# How soon it is known that nobody listens at all.
NOBODY_SECONDS = 0.1


class Processes(Protocol):
    """The scalers that live."""

    processes: list[ScalerProcess]


class Door:
    """See `simulator.cells.agent.ScalerDoor`."""

    def __init__(self, world: Processes, *, time: VirtualTime, chance: Random, weather: Weather) -> None:
        self._world = world
        self._time = time
        self._chance = chance
        self._weather = weather

    def park(self, agent: Agent, ask: int, answer: Callable[[bool | AskRefused | Lost], None]) -> None:
        """See ScalerDoor."""
        self._reach(answer, lambda desk, said: desk.park(agent, ask, said))

    def start(self, agent: Agent, ask: int, answer: Callable[[Grant | AskRefused | Lost], None]) -> None:
        """See ScalerDoor."""
        self._reach(answer, lambda desk, said: desk.start(agent, ask, said))

    def event(self, agent: Agent, report: Report, answer: Callable[[int | Lost | None], None]) -> None:
        """See ScalerDoor."""
        self._reach(answer, lambda desk, said: desk.event(agent, report, said))

    def end(self, agent: Agent, end: EndLease, answer: Callable[[EndReply | Lost], None]) -> None:
        """See ScalerDoor."""
        self._reach(answer, lambda desk, said: desk.end(agent, end, said))

    def gone(self, cell: str, boot: str) -> None:
        """An instance is gone, and its connections with it."""
        for process in self._world.processes:
            process.desk.gone(cell, boot)

    def _reach(
        self, answer: Callable[[T | Lost], None], ask: Callable[[Desk, Callable[[T], None]], None]
    ) -> None:
        alive = self._world.processes
        if not alive:
            self._time.after(NOBODY_SECONDS, partial(answer, Lost()))
            return
        process = alive[0] if len(alive) == 1 else self._chance.choice(alive)
        if not self._weather.foul:
            ask(process.desk, answer)
            return
        call = _Call(answer)
        lost = self._weather.faults.replies_lost
        drawn = self._chance.random() if lost else 1.0
        if drawn < lost:
            self._weather.struck("call between instance and scaler lost")
            # Half of what is lost is the call, half is the answer.
            if drawn < lost / 2:
                ask(process.desk, _nothing)
            self._time.after(CALL_TIMEOUT_SECONDS, call.lost)
            return
        self._time.after(CALL_TIMEOUT_SECONDS, call.lost)
        ask(process.desk, call.answered)


class _Call:
    """One call that is answered once, or given up."""

    def __init__(self, answer: Callable[[T | Lost], None]) -> None:
        self._answer: Callable[[object], None] | None = answer  # type: ignore[assignment]  # T is the caller's

    def answered(self, said: object) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(said)

    def lost(self) -> None:
        self.answered(Lost())


def _nothing(_: object) -> None:
    """The answer that gets lost."""
