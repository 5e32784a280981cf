"""A model of Cloud Run's worker pools, as cruel as the vendor's words allow.

Etags guard writes; requests come late, twice or after their sender has given up; a lower takes arbitrary victims, some
of them long after it was reported done; containers appear late; exits are replaced, sometimes before the old one is gone.

What it keeps to (the protocol's assumptions): a stale etag is refused (A3), only a lower of the count kills (A4), and
what was asked for before a zero and *appears* after it is gone within the settle time (A5). Instances that already ran at
the zero may linger as long as they like.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from random import Random

from scaler.cell_directory import DEPLOYMENT_LABEL, POOL_LABEL, SIZE_LABEL
from scaler.cloud_run.wire import Operation, OperationState, ScalingMode, WorkerPool
from scaler.errors import Conflict, Throttled, Unavailable
from tests.simulation.containers import Author, Instance, Pool, Resident, Rollout
from tests.simulation.gates import Gates
from tests.simulation.story import Story
from tests.simulation.weather import Span, Weather

API_CALL = Span(least=0.02, most=0.5)

CLIENT_GIVES_UP_SECONDS = 20.0

# Bounds on what appears late, so that with the early "settled" it stays within the settle time of 80 s (A5).
STRAGGLER_APPEARS_SECONDS = 15.0
STRAGGLER_LIVES_SECONDS = 20.0


class Etags(Enum):
    """A switch for mutations: for which writes the cloud forgets to look at the etag."""

    CHECKED = "always looked at"
    IGNORED_ON_RAISE = "ignored when the count is not zero"
    IGNORED_ON_ZERO = "ignored when the count is zero"


class ModelCloud:
    """The region. `later(delay, callback)` happens whatever becomes of any scaler; `move_in` starts an agent."""

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        chance: Random,
        weather: Callable[[], Weather],
        story: Story,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], None],
        move_in: Callable[[str, Instance], Resident],
        gates: Gates,
    ) -> None:
        self.pools = {name: Pool(name=name, size=size) for name, size in sizes.items()}
        self.etags = Etags.CHECKED
        self._chance = chance
        self._weather = weather
        self._story = story
        self._clock = clock
        self._later = later
        self._move_in = move_in
        self._gates = gates
        self._born = 0

    # The API, as the client sees it.

    async def list_worker_pools(self) -> list[WorkerPool]:
        """All pools at one moment."""
        await self._travel()
        reading = [self._reading(pool) for pool in self.pools.values()]
        await self._travel()
        return reading

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """One pool at one moment."""
        await self._gates.passed(f"read {worker_pool_id}")
        await self._travel()
        reading = self._reading(self.pools[worker_pool_id])
        await self._travel()
        return reading

    async def set_count(self, pool: WorkerPool, count: int) -> Operation:
        """Send one write; it arrives once, twice or late, whether or not anybody still waits for the answer."""
        await self._gates.passed(f"write {pool.id} {count}")
        return await self._sent(lambda answer: self._arrives(pool, count, answer))

    async def _sent(self, arrives: Callable[[asyncio.Future[Operation] | None], None]) -> Operation:
        weather, answer = self._weather(), asyncio.get_running_loop().create_future()
        if self._chance.random() < weather.stall:
            await asyncio.sleep(weather.stall_seconds.drawn(self._chance))
        delay = API_CALL.drawn(self._chance)
        if self._chance.random() < weather.patch_late:
            delay = weather.patch_late_seconds.drawn(self._chance)
        self._later(delay, lambda: arrives(answer))
        if self._chance.random() < weather.patch_doubled:
            again = delay + weather.patch_late_seconds.drawn(self._chance)
            self._later(again, lambda: arrives(None))
        reply_lost = self._chance.random() < weather.patch_reply_lost
        try:
            operation: Operation = await asyncio.wait_for(answer, CLIENT_GIVES_UP_SECONDS)
        except TimeoutError:
            raise Unavailable("no answer to the write") from None
        if reply_lost:
            raise Unavailable("the answer to the write was lost")
        return operation

    async def operation(self, name: str) -> OperationState:
        """Whether the generation of that operation is reported as done."""
        await self._travel()
        pool, _, generation = name.rpartition("/")
        return OperationState(done=self.pools[pool].observed_generation >= int(generation), error=None)

    # What other hands and the platform itself do.

    def write_from_outside(self, name: str, count: int) -> None:
        """Somebody sets a count in the console."""
        self._story.tell("another hand", f"{name} := {count}")
        self._accept(self.pools[name], count, Author.FOREIGN)

    def leave_behind(self, name: str, count: int) -> None:
        """Somebody has raised it between two readings and lowered it again, and that zero was not carried out."""
        self._story.tell("another hand", f"{name} := {count}, then 0, which fails")
        pool = self.pools[name]
        pool.target, pool.failure = count, "An internal error has occurred."
        pool.generation += 2
        pool.observed_generation = pool.generation
        self._fill(pool)

    def finish_rollout(self, name: str) -> None:
        """What is on its way comes true now."""
        pool = self.pools[name]
        if pool.waiting:
            self._roll_out(pool, pool.waiting[0].generation)

    def preempt(self, instance: Instance) -> None:
        """The platform stops an instance for its own reasons, and starts another."""
        if not instance.gone and not instance.doomed and instance.resident is not None:
            self._doom(instance, Author.PLATFORM, within=0.0)
            self._fill(self._pool_of(instance))

    def exited(self, instance: Instance) -> None:
        """The container of an instance has ended by itself; it is replaced while the count asks for it."""
        instance.gone = True
        pool = self._pool_of(instance)
        pool.instances.remove(instance)
        self._fill(pool)

    # Inside.

    async def _travel(self) -> None:
        await asyncio.sleep(API_CALL.drawn(self._chance))
        if self._chance.random() < self._weather().read_lost:
            raise Unavailable("no answer to the read")

    def _reading(self, pool: Pool) -> WorkerPool:
        settled = pool.observed_generation == pool.generation
        return WorkerPool(
            name=pool.name,
            id=pool.name,
            uid=f"uid-of-{pool.name}",
            etag=str(pool.generation),
            count=pool.count,
            generation=pool.generation,
            observed_generation=pool.observed_generation,
            reconciling=not settled,
            scaling_mode=ScalingMode.MANUAL,
            labels={DEPLOYMENT_LABEL: "acme", POOL_LABEL: "linux", SIZE_LABEL: str(pool.size)},
            service_account="cells@p.iam.gserviceaccount.com",
            env={},
            last_modifier=None,
            failure=pool.failure,
            deleted=False,
        )

    def _arrives(self, reading: WorkerPool, count: int, answer: asyncio.Future[Operation] | None) -> None:
        pool = self.pools[reading.id]
        ignored = self.etags is (Etags.IGNORED_ON_RAISE if count else Etags.IGNORED_ON_ZERO)
        told = f"our write {pool.name} {pool.count} -> {count} (etag {reading.etag})"
        self._taken(reading, told, answer, lambda: self._accept(pool, count, Author.OURS), ignored=ignored)

    def _taken(
        self,
        reading: WorkerPool,
        told: str,
        answer: asyncio.Future[Operation] | None,
        accept: Callable[[], None],
        *,
        ignored: bool = False,
    ) -> None:
        """A write of ours arrives: it is refused, or accepted and told. `ignored`: its etag is."""
        pool = self.pools[reading.id]
        refused: Exception | None = None
        if reading.etag != str(pool.generation) and not ignored:
            refused = Conflict(f"etag {reading.etag} is stale")
        elif self._chance.random() < self._weather().patch_refused:
            refused = Throttled("quota")
        if refused is None:
            self._story.tell("cloud", told)
            accept()
        if answer is not None and not answer.done():
            if refused is not None:
                answer.set_exception(refused)
                answer.exception()  # seen: its sender may be dead, and then nobody else looks
            else:
                answer.set_result(Operation(name=f"{pool.name}/{pool.generation}", done=False))

    def _accept(self, pool: Pool, count: int, author: Author) -> None:
        blame = author if count < pool.count else None
        pool.count, pool.failure = count, None
        pool.generation += 1
        pool.waiting.append(Rollout(generation=pool.generation, count=count, blame=blame))
        if not pool.rolling:
            self._begin_rollout(pool)

    def _begin_rollout(self, pool: Pool) -> None:
        if not pool.waiting:
            pool.rolling = False
            return
        pool.rolling = True
        weather = self._weather()
        seconds = weather.rollout_seconds.drawn(self._chance)
        early = self._chance.random() * weather.settles_early_seconds
        self._later(max(0.1, seconds - early), lambda: self._report(pool))
        generation = pool.waiting[0].generation
        self._later(seconds, lambda: self._roll_out(pool, generation))

    def _report(self, pool: Pool) -> None:
        if pool.waiting:
            self._observe(pool, pool.waiting[0].generation)

    def _observe(self, pool: Pool, generation: int) -> None:
        if generation > pool.observed_generation:
            pool.observed_generation, pool.reported_at = generation, self._clock()

    def _roll_out(self, pool: Pool, generation: int) -> None:
        if not pool.waiting or pool.waiting[0].generation != generation:
            return
        rollout = pool.waiting.pop(0)
        blame = rollout.blame
        if self._chance.random() < self._weather().skips_rollouts:
            for later in pool.waiting:
                rollout, blame = later, later.blame or blame
            pool.waiting.clear()
        self._observe(pool, rollout.generation)
        obstacle = self._obstacle(pool, rollout)
        # While something newer waits, the condition is that of a change under way.
        pool.failure = None if pool.waiting else obstacle
        if obstacle is not None:
            self._begin_rollout(pool)
            return
        pool.target = rollout.count
        surplus = len(pool.standing) - pool.target
        if surplus > 0:
            for victim in self._chance.sample(pool.standing, surplus):
                self._take(pool, victim, blame or Author.PLATFORM)
        self._fill(pool)
        self._begin_rollout(pool)

    def _obstacle(self, pool: Pool, rollout: Rollout) -> str | None:
        """Why this cannot be carried out: then nothing changes but the condition. A count alone never fails."""
        return None

    def _take(self, pool: Pool, victim: Instance, blame: Author) -> None:
        weather = self._weather()
        if victim.resident is None:
            victim.doomed = True
            if self._chance.random() < weather.stragglers:
                appears = self._chance.random() * STRAGGLER_APPEARS_SECONDS
                self._later(appears, lambda: self._straggle(pool, victim, blame))
            else:
                victim.gone = True
                pool.instances.remove(victim)
            return
        seconds = weather.kill_seconds.drawn(self._chance)
        late = self._chance.random() < weather.kill_late
        if late and victim.born >= pool.reported_at:
            seconds = self._chance.random() * STRAGGLER_LIVES_SECONDS
        elif late:
            seconds = weather.kill_late_seconds.drawn(self._chance)
        self._doom(victim, blame, within=seconds)

    def _straggle(self, pool: Pool, victim: Instance, blame: Author) -> None:
        if not victim.gone:
            self._let_in(pool, victim)
            self._doom(victim, blame, within=self._chance.random() * STRAGGLER_LIVES_SECONDS)

    def _doom(self, victim: Instance, blame: Author, *, within: float) -> None:
        victim.doomed = True

        def stop() -> None:
            if not victim.gone and victim.resident is not None:
                victim.resident.sigterm(blame)

        self._later(within, stop)

    def _fill(self, pool: Pool) -> None:
        while len(pool.standing) < pool.target:
            self._born += 1
            instance = Instance(self._born)
            pool.instances.append(instance)
            self._later(
                self._weather().boot_seconds.drawn(self._chance),
                lambda it=instance: self._boot(pool, it),  # type: ignore[misc]  # binds the loop's value
            )

    def _boot(self, pool: Pool, instance: Instance) -> None:
        if not instance.gone and not instance.doomed:
            self._let_in(pool, instance)

    def _let_in(self, pool: Pool, instance: Instance) -> None:
        instance.born = self._clock()
        instance.resident = self._move_in(pool.name, instance)

    def _pool_of(self, instance: Instance) -> Pool:
        return next(pool for pool in self.pools.values() if instance in pool.instances)
