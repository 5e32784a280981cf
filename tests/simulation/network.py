"""The way between instances and scaler processes: requests and answers get lost, come late or twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Protocol, TypeVar

from cell_records.errors import RecordError
from github_api.errors import GitHubError
from scaler.lease_desk import KnownCell, LeaseDesk
from scaler.refusals import NotReady, Refusal
from tests.simulation.process import ScalerProcess
from tests.simulation.weather import Weather

T = TypeVar("T")


class Surface(Protocol):
    """What the network needs of the world around it."""

    def later(self, delay: float, callback: Callable[[], None]) -> None:
        """Something that happens whatever becomes of any process."""

    def spawn(self, process: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something as part of a process."""

    def any_process(self) -> ScalerProcess:
        """The process that a request is routed to: alive, frozen or dead."""


class ModelNetwork:
    """One service address in front of all processes."""

    def __init__(self, surface: Surface, *, chance: Random, weather: Callable[[], Weather]) -> None:
        self._surface = surface
        self._chance = chance
        self._weather = weather

    async def call(
        self, cell: str, ask: Callable[[LeaseDesk, KnownCell], Awaitable[T]], *, seconds: float
    ) -> T:
        """Send a request and wait for the first answer. Raises TimeoutError, and what the desk raises."""
        weather = self._weather()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        for _ in range(2 if self._chance.random() < weather.call_doubled else 1):
            if self._chance.random() >= weather.call_lost:
                self._send(self._surface.any_process(), cell, ask, answer)
        return await asyncio.wait_for(answer, seconds)

    def _send(
        self,
        process: ScalerProcess,
        cell: str,
        ask: Callable[[LeaseDesk, KnownCell], Awaitable[T]],
        answer: asyncio.Future[T],
    ) -> None:
        async def served() -> None:
            try:
                reply = await ask(process.desk, process.known(cell))
            except RecordError as error:
                # The service answers 503 then.
                self._refuse(answer, NotReady(str(error)))
            except (Refusal, GitHubError) as error:
                self._refuse(answer, error)
            else:
                self._answer(answer, lambda: answer.set_result(reply))

        self._surface.later(self._on_the_way(), lambda: self._surface.spawn(process.name, served()))

    def _refuse(self, answer: asyncio.Future[T], error: Exception) -> None:
        self._answer(answer, lambda: answer.set_exception(error))

    def _answer(self, answer: asyncio.Future[T], deliver: Callable[[], None]) -> None:
        def arrive() -> None:
            if not answer.done():
                deliver()
                answer.exception()  # seen: the asker may be gone, and then nobody else looks

        if self._chance.random() >= self._weather().call_lost:
            self._surface.later(self._on_the_way(), arrive)

    def _on_the_way(self) -> float:
        weather = self._weather()
        late = self._chance.random() < weather.call_late
        return (weather.call_late_seconds if late else weather.call_seconds).drawn(self._chance)
