"""A model of the agent, from protocol.md section 3 and the lease protocol's page; shares no code with the real one.

`sigterm` is where a kill would show: an instance whose runner lives is stopped by a write of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Protocol, TypeVar

from github_api.errors import GitHubError
from scaler.core.model import LeaseState
from scaler.lease_desk import Ask, EndReply, Granted, KnownCell, LeaseDesk
from scaler.lease_ends import LeaseOutcome
from scaler.refusals import BootRetired, Refusal, UnknownLease
from tests.simulation.containers import Author
from tests.simulation.github import ModelGitHub, ModelJob, Registration
from tests.simulation.story import Story
from tests.simulation.weather import Weather

T = TypeVar("T")

CALL_SECONDS = 35.0
REPLY_WITHIN_SECONDS = 30.0
HEARTBEAT_SECONDS = 20.0
END_RETRIED_SECONDS = 300.0
STOP_LADDER_SECONDS = 8.0


class Ends(Enum):
    """A switch for mutations: when the agent says that its lease has ended."""

    WHEN_REAPED = "after every process of the runner is reaped"
    AT_A_LINE = "as soon as a line on stdout says so, which a step can forge"


class Network(Protocol):
    """How an instance reaches any scaler process."""

    async def call(
        self, cell: str, ask: Callable[[LeaseDesk, KnownCell], Awaitable[T]], *, seconds: float
    ) -> T:
        """The answer. Raises TimeoutError, and what the desk raises."""


class Steps(Protocol):
    """Where a schedule may stop an instance."""

    async def passed(self, name: str) -> None:
        """Go through, now or once released."""


@dataclass(slots=True, kw_only=True)
class Agent:
    """One boot of one instance."""

    boot: str
    cell: str
    network: Network
    github: ModelGitHub
    story: Story
    chance: Random
    clock: Callable[[], float]
    weather: Callable[[], Weather]
    later: Callable[[float, Callable[[], None]], None]
    exited: Callable[[], None]
    ends: Ends
    steps: Steps
    image_fails: Callable[[], str]
    born: float = 0.0
    ask: int = 1
    lease: str = ""
    seq: int = 0
    state: LeaseState = LeaseState.UNKNOWN
    registration: Registration | None = None
    job: ModelJob | None = None
    stopping: bool = False
    word: str = ""
    task: asyncio.Task[None] | None = field(default=None)

    @property
    def runner_lives(self) -> bool:
        """Whether processes of the runner exist: the truth that no message can change."""
        return self.registration is not None and self.registration.live

    def start(self) -> None:
        """Boot."""
        self.born = self.clock()
        self.story.tell(self.boot, f"boots in {self.cell}")
        self.task = asyncio.ensure_future(self._live())
        self.task.add_done_callback(self._ended)

    def sigterm(self, author: Author) -> None:
        """Stop: report first, then everything is gone within the stop ladder."""
        if self.stopping:
            return
        self.stopping = True
        if not self.runner_lives:
            self.story.tell(self.boot, f"SIGTERM ({author.value}), nothing runs")
            self._vanish()
            return
        if author is Author.OURS:
            self.story.fault(
                self.boot, f"KILL: a write of ours stops lease {self.lease[:6]} with its runner alive"
            )
        else:
            self.story.tell(self.boot, f"SIGTERM ({author.value}) on lease {self.lease[:6]}")
        self.state = LeaseState.DYING
        self._report()
        self.later(self.chance.uniform(0.5, STOP_LADDER_SECONDS), self._vanish)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.story.fault(self.boot, f"the model agent broke: {task.exception()!r}")

    def _vanish(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self.registration is not None:
            self.github.ended(self.registration, self.job)
        self.exited()

    async def _live(self) -> None:
        parked_until = self.born + self.weather().parked_for_seconds.drawn(self.chance)
        try:
            granted = await self._parked(parked_until)
            if granted is not None:
                await self._serve(granted)
                await self._give_back()
        except BootRetired:
            self.story.tell(self.boot, "is retired")
        if not self.stopping:
            self.stopping = True
            self._vanish()

    async def _parked(self, until: float) -> Granted | None:
        while self.clock() < until:
            try:
                if not await self._call(lambda desk, cell: desk.park(cell, self._asked())):
                    continue
                granted = await self._start()
            except BootRetired:
                raise
            except (Refusal, GitHubError, TimeoutError):
                await asyncio.sleep(self.chance.uniform(0.5, 5.0))
                continue
            if granted is not None:
                return granted
        return None

    async def _start(self) -> Granted | None:
        """The answer to the current ask, if it came in time; otherwise that ask is dropped for ever."""
        ask, asked_at = self._asked(), self.clock()
        await self.steps.passed(f"ask start {self.boot}")
        try:
            granted = await self._call(lambda desk, cell: desk.start(cell, ask), seconds=REPLY_WITHIN_SECONDS)
        except BaseException:
            self.ask += 1
            raise
        if self.clock() > asked_at + REPLY_WITHIN_SECONDS:
            self.ask += 1
            return None
        return granted

    async def _serve(self, granted: Granted) -> None:
        self.lease = granted.lease
        self.registration = self.github.use(granted.configuration)
        if self.registration is None:
            return
        self.story.tell(self.boot, f"runner starts, lease {self.lease[:6]}")
        heart = asyncio.ensure_future(self._beat(granted.heartbeat_seconds))
        try:
            await self._run(self.registration, granted)
        finally:
            heart.cancel()

    async def _run(self, registration: Registration, granted: Granted) -> None:
        self._say(LeaseState.STARTING)
        await asyncio.sleep(self.chance.uniform(0.5, 5.0))
        self.word = self.image_fails()
        if self.word:
            self.github.ended(registration, None)
            self.story.tell(self.boot, f"its runner ends: {self.word}")
            return
        self._say(LeaseState.LISTENING)
        idle_until = self.clock() + min(self.weather().idle_stop_seconds, granted.listen_max_seconds)
        while self.job is None and self.clock() < idle_until:
            await asyncio.sleep(self.chance.uniform(0.5, 5.0))
            self.job = self.github.assign(registration)
        if self.job is not None:
            self._say(LeaseState.RUNNING)
            if self.ends is Ends.AT_A_LINE:
                asyncio.ensure_future(self._give_back())  # noqa: RUF006 - a mutation; its end is of no interest
            await asyncio.sleep(min(self.job.seconds, granted.job_timeout_seconds))
        self.github.ended(registration, self.job)
        self.story.tell(self.boot, f"runner reaped, lease {self.lease[:6]}")

    async def _give_back(self) -> None:
        if not self.lease:
            return
        outcome = LeaseOutcome.FINISHED if self.job is not None else LeaseOutcome.UNUSED
        until = self.clock() + END_RETRIED_SECONDS
        while self.clock() < until:
            try:
                reply = await self._call(
                    lambda desk, cell: desk.end(
                        cell,
                        self.lease,
                        boot=self.boot,
                        outcome=outcome,
                        cause="",
                        job=None,
                        word=self.word or None,
                    )
                )
            except UnknownLease:
                return
            except (Refusal, GitHubError, TimeoutError):
                await asyncio.sleep(self.chance.uniform(1.0, 10.0))
                continue
            if reply is EndReply.EXIT:
                return
            until = self.clock() + END_RETRIED_SECONDS
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _say(self, state: LeaseState) -> None:
        if not self.stopping:
            self.state = state
            self._report()

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            if not self.stopping:
                self._report()

    def _report(self) -> None:
        self.seq += 1
        asyncio.ensure_future(self._event(self.seq, self.state))  # noqa: RUF006 - its answer changes nothing

    async def _event(self, seq: int, state: LeaseState) -> None:
        try:
            await self._call(
                lambda desk, cell: desk.event(
                    cell, self.lease, boot=self.boot, seq=seq, state=state, job=None
                )
            )
        except (Refusal, GitHubError, TimeoutError):
            # Whatever the scaler answers, a live runner is not touched; the next heartbeat says it again.
            return

    def _asked(self) -> Ask:
        return Ask(cell=self.cell, boot=self.boot, ask=self.ask, uptime_seconds=self.clock() - self.born)

    async def _call(
        self, ask: Callable[[LeaseDesk, KnownCell], Awaitable[T]], *, seconds: float = CALL_SECONDS
    ) -> T:
        return await self.network.call(self.cell, ask, seconds=seconds)
