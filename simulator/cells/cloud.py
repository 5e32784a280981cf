"""PURE: a model of Cloud Run's worker pools: counts, operations, containers that come and are replaced, arbitrary victims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from random import Random
from typing import Protocol

from scaler.budget import MinuteBudget
from simulator.cells.weather import Weather
from simulator.virtual_time import VirtualTime

# From a lowered count to the SIGTERM of a victim.
KILL_SECONDS = 1.0

NOT_CARRIED_OUT = "the zero was not carried out"


class Stopper(Enum):
    """Who stops an instance."""

    OURS = "a count that we lowered"
    PLATFORM = "Cloud Run itself"
    EXTERNAL = "a count that another hand lowered"


class Resident(Protocol):
    """What lives in a container."""

    def sigterm(self, stopper: Stopper) -> None:
        """The ten seconds begin."""


class Answer(Enum):
    """How a write of a count ended."""

    TAKEN = "taken"
    STALE = "the etag was stale"
    THROTTLED = "429: too many writes"
    NO_CAPACITY = "the region has no CPU quota left"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReading:
    """One reading of a worker pool; see `scaler.core.cell_steps.Reading`."""

    uid: str
    count: int
    settled: bool
    failure: str | None
    etag: int
    manual: bool = True


@dataclass(slots=True, eq=False)
class Instance:
    """One container that is up."""

    cell: str
    born: float
    resident: Resident | None = None


@dataclass(slots=True, eq=False)
class Pool:
    """One worker pool. `coming`: containers that are being started."""

    name: str
    size: int
    count: int = 0
    etag: int = 1
    settled_at: float = 0.0
    failure: str | None = None
    instances: list[Instance] = field(default_factory=list)
    coming: int = 0
    billed_since: float = 0.0
    used: bool = False
    reading: PoolReading | None = None

    @property
    def billed(self) -> int:
        """Instances that are paid for: every counted one, and each that still lives; not those that the region refused."""
        alive = len(self.instances)
        return max(self.count, alive) if self.failure is None else alive + self.coming


class ModelCloud:
    """All worker pools of the region, and what they have cost."""

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        time: VirtualTime,
        chance: Random,
        start: float,
        restart: float,
        settle: float,
        writes_per_minute: int,
        weather: Weather,
        begins_at: float,
        move_in: Callable[[Instance], Resident],
        counted: Callable[[str, int, int, Stopper], None],
    ) -> None:
        """`sizes`: of the cells by name. `begins_at`: the moment that times of faults count from. `counted(cell, before,
        after, hand)`: is told of every write that is taken.
        """
        self._time = time
        self._chance = chance
        self._start, self._restart, self._settle = start, restart, settle
        self._quota = MinuteBudget(writes_per_minute)
        self._weather = weather
        self._begins_at = begins_at
        self._move_in = move_in
        self._counted = counted
        self.pools = {name: Pool(name=name, size=size) for name, size in sizes.items()}
        self.paid = 0.0
        self.writes = 0
        self.lowering_writes = 0
        self.instances = 0
        self.peak = 0

    def read(self, cell: str) -> PoolReading:
        """A worker pool as it is now."""
        pool = self.pools[cell]
        settled = self._time.now >= pool.settled_at and pool.failure is None
        return PoolReading(uid=cell, count=pool.count, settled=settled, failure=pool.failure, etag=pool.etag)

    def set_count(self, cell: str, count: int, *, etag: int) -> Answer:
        """A write arrives now."""
        now, pool, faults = self._time.now, self.pools[cell], self._weather.faults
        spent, refused = self._quota.left(now) <= 0, self._chance.random() < faults.writes_refused
        if spent or refused:
            self._weather.struck("write out of quota" if spent else "write refused")
            return Answer.THROTTLED
        self._quota.use(now)
        if etag != pool.etag:
            return Answer.STALE
        self.writes += 1
        self.lowering_writes += count < pool.count
        fits = self._write(pool, count, Stopper.OURS)
        return Answer.TAKEN if fits else Answer.NO_CAPACITY

    def set_by_another(self) -> None:
        """Another hand sets a count to anything, without an etag."""
        pool = self._chance.choice(list(self.pools.values()))
        self._write(pool, self._chance.randint(0, pool.size), Stopper.EXTERNAL)

    def exited(self, instance: Instance) -> None:
        """A container has ended; another takes its place while the count asks for it."""
        pool = self.pools[instance.cell]
        if instance not in pool.instances:
            return
        self._bill(pool)
        pool.instances.remove(instance)
        self.instances -= 1
        # What was refused does not come by itself; what was there is replaced.
        self._fill(pool, self._restart, most=None if pool.failure is None else 1)

    def preempt(self) -> None:
        """Cloud Run stops an instance for reasons of its own, busy or not."""
        alive = [each for pool in self.pools.values() for each in pool.instances]
        if alive:
            victim = self._chance.choice(alive)
            assert victim.resident is not None
            victim.resident.sigterm(Stopper.PLATFORM)

    def close_the_books(self) -> None:
        """Count what was paid until now."""
        for pool in self.pools.values():
            self._bill(pool)

    def _write(self, pool: Pool, count: int, hand: Stopper) -> bool:
        """A count is set; whether the region's quota allows it."""
        now, before, faults = self._time.now, pool.count, self._weather.faults
        undone = pool.failure == NOT_CARRIED_OUT
        self._bill(pool)
        pool.etag += 1
        pool.count, pool.used, pool.failure = count, True, None
        pool.settled_at = now + self._settle
        self._counted(pool.name, before, count, hand)
        if count < before or undone:
            if not count and self._weather.strikes("zero not carried out", faults.zeros_failed):
                pool.failure = NOT_CARRIED_OUT
                return True
            self._time.after(KILL_SECONDS, lambda: self._stop_surplus(pool, hand))
            if self._weather.strikes("settled early", faults.settles_early):
                pool.settled_at = now
        elif not self._fits:
            # Seen in the public record: the operation ends with the quota's name, and nothing more comes by itself.
            self._bill(pool)
            pool.failure = Answer.NO_CAPACITY.value
            self._weather.struck("no capacity")
            return False
        self._fill(pool, self._start)
        return True

    @property
    def quiet(self) -> bool:
        """Whether nothing is there and nothing is asked for."""
        return not any(pool.count or pool.instances or pool.coming for pool in self.pools.values())

    @property
    def used_cells(self) -> int:
        """How many worker pools were ever raised."""
        return sum(pool.used for pool in self.pools.values())

    @property
    def _fits(self) -> bool:
        since = self._time.now - self._begins_at
        allowed = [
            each.instances for each in self._weather.faults.refusing if each.begins <= since < each.ends
        ]
        asked = sum(pool.billed for pool in self.pools.values())
        return not allowed or asked <= min(allowed)

    def _fill(self, pool: Pool, seconds: float, *, most: int | None = None) -> None:
        missing = max(0, pool.count - len(pool.instances) - pool.coming)
        for _ in range(missing if most is None else min(most, missing)):
            pool.coming += 1
            # Containers of one raise are not up in the same moment.
            self._time.after(seconds * self._chance.uniform(0.9, 1.0), lambda: self._up(pool))

    def _up(self, pool: Pool) -> None:
        pool.coming -= 1
        if len(pool.instances) >= pool.count:
            return
        self._bill(pool)
        instance = Instance(cell=pool.name, born=self._time.now)
        pool.instances.append(instance)
        self.instances += 1
        self.peak = max(self.peak, self.instances)
        instance.resident = self._move_in(instance)

    def _stop_surplus(self, pool: Pool, hand: Stopper) -> None:
        """Whom to stop is nobody's choice."""
        surplus = len(pool.instances) - pool.count
        if surplus <= 0:
            return
        faults = self._weather.faults
        late = self._weather.strikes("victims stopped late", faults.settles_early)
        for victim in self._chance.sample(pool.instances, surplus):
            delay = self._chance.uniform(0.0, faults.late) if late else 0.0
            self._time.after(delay, partial(self._stop, victim, hand))

    def _stop(self, victim: Instance, hand: Stopper) -> None:
        if victim in self.pools[victim.cell].instances and victim.resident is not None:
            victim.resident.sigterm(hand)

    def _bill(self, pool: Pool) -> None:
        self.paid += pool.billed * (self._time.now - pool.billed_since)
        pool.billed_since = self._time.now
