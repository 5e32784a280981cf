"""A whole deployment in virtual time: two scaler processes, a store, a cloud, GitHub and instances, from one seed.

First a storm of the given weather with jobs coming in, then a fine day in which everything must come to rest.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, TypeVar

from cell_records.codec import cell_record, deployment_record
from cell_records.record import CellRecord, CellState
from cell_records.store import CELL_PREFIX, DEPLOYMENT_KEY
from scaler.core.model import Policy
from tests.factories import a_pool
from tests.simulation.agent import Agent, Ends
from tests.simulation.cloud import Etags, ModelCloud
from tests.simulation.containers import Instance, Resident
from tests.simulation.gates import Gates
from tests.simulation.github import ModelGitHub
from tests.simulation.network import ModelNetwork
from tests.simulation.process import ScalerProcess, Surroundings
from tests.simulation.store import ModelRecords, ModelStore
from tests.simulation.story import Story
from tests.simulation.virtual_time import PROCESS, VirtualLoop
from tests.simulation.weather import FINE, STORM, Span, Weather

T = TypeVar("T")

START = 1_000_000.0
PROCESSES = ("scaler-1", "scaler-2")
RESTART_SECONDS = Span(least=1.0, most=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a world is made of and what happens in it; times are seconds."""

    weather: Weather = STORM
    sizes: Mapping[str, int] = field(default_factory=lambda: {"cell-a": 2, "cell-b": 1})
    most_instances: int = 3
    storm_seconds: float = 600.0
    jobs_every_seconds: float = 70.0
    calm: bool = True
    calm_seconds: float = 3_000.0
    settle_seconds: float = 80.0
    linger_seconds: float = 5.0
    etags: Etags = Etags.CHECKED
    ends: Ends = Ends.WHEN_REAPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a world ended. `jobs`: how many jobs were completed; `zeros`: how many zeros were noted."""

    seed: int
    faults: tuple[str, ...]
    story: str
    jobs: int
    leases: int
    zeros: int

    @property
    def killed(self) -> bool:
        """Whether a write of ours stopped a live runner."""
        return any("KILL" in fault or "under a live runner" in fault for fault in self.faults)


class World:
    """One seed's world. `run` it once."""

    region = ModelCloud

    def __init__(self, seed: int, plan: Plan) -> None:
        self.seed = seed
        self.plan = plan
        self.chance = Random(seed)
        self.weather = plan.weather
        self.loop = VirtualLoop(self.chance, start=START, freeze=self._freeze_seconds)
        self.story = Story(self.loop.time, START)
        self.gates = Gates()
        self.agents: list[Agent] = []
        self.leases: set[str] = set()
        self.image_fails = ""
        self.zeros = 0
        self.store = ModelStore(chance=self.chance, weather=self._weather, on_write=self._written)
        self.network = ModelNetwork(self, chance=self.chance, weather=self._weather)
        self.github = ModelGitHub(
            chance=self.chance, weather=self._weather, clock=self.loop.time, story=self.story
        )
        self.cloud = self.region(
            plan.sizes,
            chance=self.chance,
            weather=self._weather,
            story=self.story,
            clock=self.loop.time,
            later=self.later,
            move_in=self._move_in,
            gates=self.gates,
        )
        self.cloud.etags = plan.etags
        self.processes: dict[str, ScalerProcess] = {}
        self._nonces = count(1)
        self._boots = count(1)
        self._lives = count(1)
        self._records: dict[str, CellRecord] = {}
        self._nobody = contextvars.Context()
        self._nobody.run(PROCESS.set, "")

    def run(self, schedule: Callable[[World], Coroutine[Any, Any, None]] | None = None) -> Outcome:
        """Storm, then calm; or what a schedule says."""
        self.loop.run(self._happen() if schedule is None else self._follow(schedule))
        for failure in self.loop.failures:
            self.story.fault("loop", repr(failure))
        return Outcome(
            seed=self.seed,
            faults=tuple(self.story.faults),
            story=self.story.told(),
            jobs=sum(job.completed_at is not None for job in self.github.jobs),
            leases=len(self.leases),
            zeros=self.zeros,
        )

    # What the parts of the world need.

    def later(self, delay: float, callback: Callable[[], None]) -> None:
        """Something that happens whatever becomes of any process."""
        self.loop.call_later(delay, callback, context=self._nobody.copy())

    def any_process(self) -> ScalerProcess:
        """The process that a request is routed to."""
        return self.processes[self.chance.choice(PROCESSES)]

    def spawn(self, process: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something as part of a process."""
        context = self._nobody.copy()
        context.run(PROCESS.set, process)
        self.loop.create_task(work, context=context)

    def _weather(self) -> Weather:
        return self.weather

    def _freeze_seconds(self, process: str) -> float:
        if self.weather.freeze and self.chance.random() < self.weather.freeze:
            seconds = self.weather.freeze_seconds.drawn(self.chance)
            self.story.tell(process, f"stands still for {seconds:.0f} s")
            return seconds
        return 0.0

    def _move_in(self, cell: str, instance: Instance) -> Resident:
        agent = Agent(
            boot=f"boot-{next(self._boots)}",
            cell=cell,
            network=self.network,
            github=self.github,
            story=self.story,
            chance=self.chance,
            clock=self.loop.time,
            weather=self._weather,
            later=self.later,
            exited=lambda: self.cloud.exited(instance),
            ends=self.plan.ends,
            steps=self.gates,
            image_fails=lambda: self.image_fails,
        )
        self.agents.append(agent)
        agent.start()
        return agent

    def _written(self, key: str, text: str) -> None:
        """Check what must hold of every record that was ever stored."""
        if key == DEPLOYMENT_KEY:
            requested = deployment_record(text, key=key).requested
            # A raise that arrives after it was given up as lost may come on top, until the surplus is closed.
            if self.plan.weather.prompt and sum(requested.values()) > self.plan.most_instances:
                self.story.fault("records", f"{dict(requested)} is more than max {self.plan.most_instances}")
            return
        cell = key.removeprefix(CELL_PREFIX)
        record = cell_record(text, key=key)
        before = self._records.get(cell)
        self._records[cell] = record
        self.leases.update(lease.id for lease in record.leases)
        if before is None or before.state is not record.state:
            self.zeros += record.state is CellState.ZERO
            self.story.tell("records", f"{cell} is {record.state.value}")
        for lease in record.leases:
            if before is None or before.lease(lease.id) is None:
                self.story.tell("records", f"{cell} lease {lease.id[:6]} for {lease.boot} ask {lease.ask}")

    # What a schedule sees.

    async def until(self, what: str, fact: Callable[[], object], *, seconds: float = 600.0) -> None:
        """Let time pass until something is true; fails the test with the story if it never is."""
        end = self.loop.time() + seconds
        while not fact():
            assert self.loop.time() < end, f"after {seconds} s still not: {what}\n{self.story.told()}"
            await asyncio.sleep(0.25)

    def record(self, cell: str) -> CellRecord:
        """The record of a cell as it stands."""
        return self._records[cell]

    def state(self, cell: str) -> CellState | None:
        """The state of a cell's record, once there is one."""
        return self._records[cell].state if cell in self._records else None

    @property
    def live_runners(self) -> int:
        """How many runners' processes exist."""
        return sum(agent.runner_lives for agent in self.agents)

    @property
    def leader(self) -> str:
        """Which process leads by the record."""
        stored = self.store.texts.get(DEPLOYMENT_KEY)
        return "" if stored is None else deployment_record(stored.text, key=DEPLOYMENT_KEY).leader

    # What happens.

    async def _follow(self, schedule: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        for name in PROCESSES:
            self._start(name)
        await schedule(self)

    async def _happen(self) -> None:
        for name in PROCESSES:
            self._start(name)
        disturbances = [
            asyncio.ensure_future(each)
            for each in (self._crash(), self._meddle(), self._preempt(), self._push_jobs())
        ]
        end = self.loop.time() + self.plan.storm_seconds
        while self.loop.time() < end and not self.story.faults:
            await asyncio.sleep(5.0)
        for each in disturbances:
            each.cancel()
        if self.plan.calm and not self.story.faults:
            await self._come_to_rest()

    def _clear_up(self) -> None:
        """No further fault, no further job."""
        self.story.tell("weather", "fine from now on")
        self.weather = FINE
        self.loop.thaw()
        self.github.push(20.0)

    async def _come_to_rest(self) -> None:
        """Without faults and new jobs, everything that was asked for is done and nothing stays."""
        self._clear_up()
        end = self.loop.time() + self.plan.calm_seconds
        while self._unrest() and self.loop.time() < end and not self.story.faults:
            await asyncio.sleep(20.0)
        if self._unrest() and not self.story.faults:
            self.story.fault("world", f"no rest after {self.plan.calm_seconds} s: {self._unrest()}")

    def _unrest(self) -> list[str]:
        unrest = [f"job {job.number} is not done" for job in self.github.jobs if job.completed_at is None]
        unrest += [f"registration {each.name} is left" for each in self.github.registrations.values()]
        for pool in self.cloud.pools.values():
            if pool.count or pool.instances:
                unrest.append(f"{pool.name} has count {pool.count} and {len(pool.instances)} instances")
            record = self._records.get(pool.name)
            if record is None or record.state is not CellState.ZERO or record.leases or record.ghosts:
                unrest.append(f"the record of {pool.name} is {record}")
        requested = deployment_record(self.store.texts[DEPLOYMENT_KEY].text, key=DEPLOYMENT_KEY).requested
        return unrest + [f"{count} of {cell} stay requested" for cell, count in requested.items()]

    def _start(self, name: str) -> None:
        world = Surroundings(
            policy=Policy(
                pools=(a_pool(maximum=self.plan.most_instances, linger_seconds=self.plan.linger_seconds),),
                max_instances=self.plan.most_instances,
                settle_seconds=self.plan.settle_seconds,
            ),
            cloud=self.cloud,
            github=self.github,
            story=self.story,
            clock=self.loop.time,
            chance=self.chance,
            records=lambda _: ModelRecords(
                self.store,
                owner="acme",
                nonce=lambda: f"nonce-{next(self._nonces)}",
                chance=self.chance,
                weather=self._weather,
                gates=self.gates,
            ),
        )
        process = ScalerProcess(f"{name}.{next(self._lives)}", world)
        self.processes[name] = process
        self.spawn(process.name, process.live())
        self.story.tell(process.name, "starts")

    async def _crash(self) -> None:
        while self.weather.crash_every_seconds:
            await asyncio.sleep(self.chance.expovariate(1 / self.weather.crash_every_seconds))
            name = self.chance.choice(PROCESSES)
            self.loop.kill(self.processes[name].name)
            self.story.tell(self.processes[name].name, "is killed")
            await asyncio.sleep(RESTART_SECONDS.drawn(self.chance))
            self._start(name)

    async def _meddle(self) -> None:
        while self.weather.foreign_write_every_seconds:
            await asyncio.sleep(self.chance.expovariate(1 / self.weather.foreign_write_every_seconds))
            pool = self.cloud.pools[self.chance.choice(sorted(self.cloud.pools))]
            self.cloud.write_from_outside(pool.name, self.chance.randint(0, pool.size))

    async def _preempt(self) -> None:
        while self.weather.preemption_every_seconds:
            await asyncio.sleep(self.chance.expovariate(1 / self.weather.preemption_every_seconds))
            standing = [each for pool in self.cloud.pools.values() for each in pool.standing]
            if standing:
                self.cloud.preempt(self.chance.choice(standing))

    async def _push_jobs(self) -> None:
        while True:
            for _ in range(self.chance.choice((1, 1, 2, 3, 5))):
                self.github.push(self.weather.job_seconds.drawn(self.chance))
            if self.chance.random() < self.weather.cancel:
                self.later(self.chance.uniform(1.0, 30.0), self.github.cancel_queued)
            await asyncio.sleep(self.chance.expovariate(1 / self.plan.jobs_every_seconds))
