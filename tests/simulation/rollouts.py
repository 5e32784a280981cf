"""Templates in the simulated region, and an admin who changes, drains and resumes cells all the time while everything goes wrong.

The admin's verbs are the real ones. Each runs as a process of its own: frozen, killed at any moment, often followed by another
with a different wish that finds the holds and the late writes of the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from cell_records.errors import RecordError
from scaler.budget import MinuteBudget
from scaler.cell_writer import CellWriter
from scaler.cloud_run.wire import Document, Operation, WorkerPool
from scaler.errors import ScalerError
from scaler.rollout.cells import Goal, Task
from scaler.rollout.performer import Performer, Selection
from scaler.rollout.template import TemplateWish
from scaler.rollout.verbs import Verb, Wanted
from tests.simulation.cloud import ModelCloud
from tests.simulation.containers import Author, Pool, Rollout
from tests.simulation.store import ModelRecords
from tests.simulation.weather import Span
from tests.simulation.world import World

BROKEN = "broken"
"""How the name of an image begins that cannot be started."""

# How long an admin leaves a verb alone before the next one, whatever has become of it.
PATIENCE = Span(least=5.0, most=250.0)


@dataclass(frozen=True, slots=True)
class Revision(Rollout):
    """A template on its way to come true: it replaces whatever stands."""


class TemplateCloud(ModelCloud):
    """The region with templates, of which only the image matters. `names_etag`: a switch for a mutation.

    `failed_zeros`: how many zeros a template that cannot start has made fail.
    """

    names_etag = True
    failed_zeros = 0

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.images = dict.fromkeys(self.pools, "image-0")
        first, *others = self.pools
        if others:
            # Its image has been removed from the registry, which its first raise finds out.
            self.images[first] = f"{BROKEN}-0"
        # A reading and its image are of one moment, though the reading takes a while to come back.
        self._at_generation = {(name, 1): image for name, image in self.images.items()}

    async def list_documents(self) -> list[Document]:
        """See WorkerPools."""
        return [self._document(reading) for reading in await self.list_worker_pools()]

    async def get_document(self, worker_pool_id: str) -> Document:
        """See WorkerPools."""
        return self._document(await self.get_worker_pool(worker_pool_id))

    async def set_field(self, of: Document, name: str, value: object) -> Operation:
        """Send one write of a template; it travels like one of a count."""
        assert name == "template"
        assert isinstance(value, dict)
        image = value["containers"][0]["image"]
        reading = of.reading
        await self._gates.passed(f"write {reading.id} {name}")

        def arrives(answer: asyncio.Future[Operation] | None) -> None:
            told = f"our template {reading.id} := {image} (etag {reading.etag})"
            accept = partial(self._accept_template, self.pools[reading.id], image)
            self._taken(reading, told, answer, accept, ignored=not self.names_etag)

        return await self._sent(arrives)

    async def delete_worker_pool(self, pool: WorkerPool) -> Operation:
        """Nobody does here."""
        raise NotImplementedError

    def _document(self, reading: WorkerPool) -> Document:
        image = self._at_generation[(reading.id, reading.generation)]
        return Document(reading=reading, data={"template": {"containers": [{"image": image}]}})

    def _accept(self, pool: Pool, count: int, author: Author) -> None:
        super()._accept(pool, count, author)
        self._at_generation[(pool.name, pool.generation)] = self.images[pool.name]

    def _accept_template(self, pool: Pool, image: str) -> None:
        self.images[pool.name], pool.failure = image, None
        pool.generation += 1
        self._at_generation[(pool.name, pool.generation)] = image
        pool.waiting.append(Revision(generation=pool.generation, count=pool.count, blame=Author.OURS))
        if not pool.rolling:
            self._begin_rollout(pool)

    def _obstacle(self, pool: Pool, rollout: Rollout) -> str | None:
        """With a template that cannot start no count comes true either, zero included: as cruel as it may be."""
        if not self._at_generation[(pool.name, rollout.generation)].startswith(BROKEN):
            return None
        self.failed_zeros += rollout.count == 0 and not isinstance(rollout, Revision)
        return "no such image"

    def _roll_out(self, pool: Pool, generation: int) -> None:
        there, before = list(pool.standing), list(pool.waiting)
        super()._roll_out(pool, generation)
        if any(isinstance(each, Revision) and each not in pool.waiting for each in before):
            for instance in there:
                if not instance.doomed and not instance.gone:
                    self._take(pool, instance, Author.OURS)
            self._fill(pool)


class RolloutWorld(World):
    """A world whose admin never rests. `ended`: how many verbs came to their end, `killed`: how many did not.

    `admin`: the one at work.
    """

    region = TemplateCloud
    cloud: TemplateCloud
    admin = ""
    ended = 0
    killed = 0

    async def _crash(self) -> None:
        await asyncio.gather(super()._crash(), self._administer())

    async def _administer(self) -> None:
        for number in count(1):
            await asyncio.sleep(self.chance.uniform(1.0, 40.0))
            self.admin = f"admin-{number}"
            self.spawn(self.admin, self._verb(self._wanted(number), self.admin))
            await asyncio.sleep(PATIENCE.drawn(self.chance))
            self._kill_admin()

    def _kill_admin(self) -> None:
        if self.admin:
            self.killed += 1
            self.loop.kill(self.admin)
            self.story.tell(self.admin, "is killed")
            self.admin = ""

    def _wanted(self, number: int) -> Wanted:
        match self.chance.choice(("rollout", "rollout", "rollout", "drain", "resume")):
            case "drain":
                return Wanted(hold="drain", goal=Goal.STAY)
            case "resume":
                return Wanted(hold="drain", goal=Goal.RELEASE)
            case _:
                kind = BROKEN if self.chance.random() < 0.25 else "image"
                wish = TemplateWish(image=f"{kind}-{self.chance.choice((number, number - 1))}")
                return Wanted(
                    hold="rollout",
                    goal=Goal.CHANGE,
                    wish=wish,
                    take_over=number % 4 > 0,
                    at_once=self.chance.choice((0, 2)),
                    canary=self.chance.random() < 0.5,
                    canary_seconds=60.0,
                    timeout_seconds=400.0,
                )

    async def _come_to_rest(self) -> None:
        """On a fine day the admin ends every hold and gives one last image to all, also where no zero can be had."""
        self._clear_up()
        self._kill_admin()
        last = TemplateWish(image="the last")
        for wanted in (
            Wanted(hold="drain", goal=Goal.RELEASE),
            Wanted(hold="rollout", goal=Goal.CHANGE, wish=last, take_over=True, timeout_seconds=2_000.0),
        ):
            self.admin = "the last admin"
            self.spawn(self.admin, self._verb(wanted, self.admin))
            await self.until(f"the end of {wanted.hold}", self._has_ended, seconds=2_500.0)
        left = {name: (self.cloud.images[name], self.record(name).hold) for name in self.cloud.pools}
        if set(left.values()) != {("the last", "")}:
            self.story.fault("admin", f"not every cell is as it was wished: {left}")
        await super()._come_to_rest()

    def _has_ended(self) -> bool:
        return not self.admin or bool(self.story.faults)

    async def _verb(self, wanted: Wanted, name: str) -> None:
        self.story.tell(name, f"begins {wanted.hold}: {wanted.goal.value}")
        try:
            await Verb(
                wanted,
                self._hands(name),
                settle_seconds=self.plan.settle_seconds,
                clock=self.loop.time,
                timer=self.loop.time,
                sleep=asyncio.sleep,
                say=partial(self.story.tell, name),
            ).run()
        except (ScalerError, RecordError) as error:
            self.story.tell(name, f"ends with {type(error).__name__}: {error}")
        self.ended += 1
        self.admin = ""

    def _hands(self, name: str) -> Callable[[Task], Performer]:
        records = ModelRecords(
            self.store,
            owner="acme",
            nonce=lambda: f"nonce-{next(self._nonces)}",
            chance=self.chance,
            weather=self._weather,
            gates=self.gates,
        )
        budget = MinuteBudget(20)
        writer = CellWriter(
            self.cloud,
            records,
            budget=budget,
            settle_seconds=self.plan.settle_seconds,
            clock=self.loop.time,
            sleep=asyncio.sleep,
            on_change=lambda: None,
            follow_seconds=0.0,
        )
        selection = Selection(deployment="acme", pools=["linux"], pool=None, cells=())
        return lambda task: Performer(
            task,
            selection,
            cloud=self.cloud,
            records=records,
            writer=writer,
            budget=budget,
            owner="acme",
            clock=self.loop.time,
        )
