"""One scaler process of a simulated deployment: the real shells, wired up as the program does, with its own memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cell_records.errors import RecordError
from scaler.budget import MinuteBudget
from scaler.cell_directory import CellDirectory
from scaler.cell_keeper import CellKeeper
from scaler.cell_writer import CellWriter
from scaler.core.model import DemandSeen, Policy
from scaler.instances import Instances
from scaler.leadership import Leadership
from scaler.lease_desk import DeskTimes, KnownCell, LeaseDesk, Terms
from scaler.lease_ends import LeaseEnded
from scaler.reconciler import Reconciler, TickRecord
from scaler.refusals import NotReady
from scaler.registrar import Registrar, RunnerShape
from tests.simulation.cloud import ModelCloud
from tests.simulation.github import REPOSITORY, ModelGitHub
from tests.simulation.store import ModelRecords
from tests.simulation.story import Story

SETTLE_SECONDS = 80.0
TICK_SECONDS = 5.0
READ_QUEUE_SECONDS = 6.0

TIMES = DeskTimes(
    heartbeat=20.0, long_poll=25.0, reply_within=30.0, stop_ladder=10.0, hard_end_margin=60.0, dying=15.0
)
TERMS = Terms(
    pool="linux",
    shape=RunnerShape(labels=("linux",), runner_group_id=1),
    listen_max_seconds=60.0,
    job_timeout_seconds=150.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every process shares."""

    policy: Policy
    cloud: ModelCloud
    github: ModelGitHub
    story: Story
    clock: Callable[[], float]
    chance: Random
    records: Callable[[str], ModelRecords]


class ScalerProcess:
    """Ticks, renews its lead, reads the queue and serves instances until it is killed."""

    def __init__(self, name: str, world: Surroundings) -> None:
        self.name = name
        self._world = world
        clock, records = world.clock, world.records(name)
        self._nudged = asyncio.Event()
        self._demand = DemandSeen(repositories={}, complete=False)
        self._tick: TickRecord | None = None
        self._directory = CellDirectory(deployment="acme", pools=["linux"], settle_seconds=SETTLE_SECONDS)
        self._instances = Instances(clock)
        self._writes = MinuteBudget(60)
        self._leadership = Leadership(records, who=name, ttl_seconds=15.0, clock=clock)
        registrar = Registrar(
            world.github, records, budget=MinuteBudget(150), jit_call_seconds=15.0, clock=clock
        )
        self.writer = CellWriter(
            world.cloud,
            records,
            budget=self._writes,
            settle_seconds=world.policy.settle_seconds,
            clock=clock,
            sleep=asyncio.sleep,
            on_change=self.nudge,
        )
        keeper = CellKeeper(
            owner="acme",
            records=records,
            instances=self._instances,
            registrar=registrar,
            told=self,
            settle_seconds=SETTLE_SECONDS,
            suspect_seconds=3 * TIMES.heartbeat,
            clock=clock,
            cloud=world.cloud,
        )
        self._reconciler = Reconciler(
            policy=world.policy,
            records=records,
            cloud=world.cloud,
            directory=self._directory,
            writer=self.writer,
            keeper=keeper,
            demand=lambda: self._demand,
            instances=self._instances,
            registrar=registrar,
            leadership=self._leadership,
            writes=self._writes,
            clock=clock,
        )
        self.desk = LeaseDesk(
            records=records,
            instances=self._instances,
            registrar=registrar,
            mind=self,
            times=TIMES,
            clock=clock,
        )

    def known(self, cell: str) -> KnownCell:
        """A cell as this process last read it. Raises NotReady."""
        read = self._directory.cells.get(cell)
        if read is None:
            raise NotReady("the first tick is not over")
        room = max(self._reconciler.requested.get(cell, 0), read.worker_pool.count or 0)
        return KnownCell(name=cell, uid=read.worker_pool.uid, terms=TERMS, room=min(read.size, room))

    async def live(self) -> None:
        """Everything at once, for ever."""
        await asyncio.gather(self._lead(), self._read_queue(), self._reconcile())

    async def _lead(self) -> None:
        while True:
            try:
                await self._leadership.renew()
            except RecordError as error:
                self._world.story.tell(self.name, f"no renewal: {error}")
            await asyncio.sleep(5.0)

    async def _read_queue(self) -> None:
        while True:
            begun = self._world.clock()
            await asyncio.sleep(self._world.chance.uniform(0.1, 2.0))
            self._demand = DemandSeen(
                repositories={REPOSITORY: self._world.github.reading(begun)}, complete=True
            )
            self.nudge()
            await asyncio.sleep(READ_QUEUE_SECONDS)

    async def _reconcile(self) -> None:
        while True:
            try:
                self._tick = await self._reconciler.tick(look=True)
            except RecordError as error:
                self._world.story.tell(self.name, f"no tick: {error}")
            except Exception as error:
                # Anything else would end the program; here it ends the test.
                self._world.story.fault(self.name, f"{type(error).__name__}: {error}")
                raise
            if self.writer.defect is not None:
                self._world.story.fault(self.name, f"defect: {self.writer.defect!r}")
            await asyncio.sleep(1.0)
            try:
                await asyncio.wait_for(self._nudged.wait(), TICK_SECONDS)
            except TimeoutError:
                continue
            self._nudged.clear()

    # What desk, writer and keeper ask and tell.

    def nudge(self) -> None:
        """Tick soon."""
        self._nudged.set()

    def closes_when_empty(self, cell: str) -> bool:
        """Whether the last decision called the cell surplus."""
        return self._tick is not None and cell in self._tick.decision.surplus

    def queued_for(self, pool: str) -> int | None:
        """Nobody in this world looks at it."""
        return None

    def is_short(self, pool: str) -> bool:
        """Whether the last decision left jobs that nothing covers."""
        return self._tick is not None and any(
            picture.uncovered for picture in self._tick.decision.pools if picture.pool == pool
        )

    def ended(self, event: LeaseEnded) -> None:
        """Told in the story."""
        self._world.story.tell(self.name, f"lease {event.lease[:6]} ended: {event.outcome.value}")

    def removed(self, event: LeaseEnded) -> None:
        """Told in the story."""
        self._world.story.tell(self.name, f"lease {event.lease[:6]} removed: {event.why}")
