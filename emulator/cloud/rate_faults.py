"""What goes wrong in the stand-in Cloud Run by itself: the platform's own moves, and another hand on the worker pools.

Pure: the faults that are due come from the switchboard, victims from the world's chance. Must not know HTTP.
"""

from collections.abc import Collection
from random import Random
from typing import Protocol

from emulator.cloud.faults import CloudFaults, Fault
from emulator.cloud.fleet import Fleet
from emulator.cloud.worker_pool import Action, Instance, Operation, StopCause, WorkerPool, Write
from emulator.cloud.worker_pool_config import instance_count

FOREIGN_CALLER = "another.hand@example.com"


class Struck(Protocol):
    """What a stroke needs of the world."""

    @property
    def faults(self) -> CloudFaults: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def chance(self) -> Random: ...
    @property
    def writes(self) -> list[Write]: ...
    def worker_pools(self) -> list[WorkerPool]: ...
    def worker_pool(self, pool_id: str) -> WorkerPool: ...
    def write_count(self, pool: WorkerPool, count: int, *, caller: str, now: float) -> None: ...
    def delete(self, pool_id: str, *, tag: str | None, caller: str, now: float) -> Operation: ...


def strike_at_a_rate(world: Struck, *, now: float, busy: Collection[str]) -> list[Action]:
    """Carries out the strokes whose time has come; one without a victim is none."""
    actions: list[Action] = []
    for fault, numbers in world.faults.due(now):
        if fault in (Fault.FOREIGN_WRITE, Fault.POOL_DELETED):
            pools = [pool for pool in world.worker_pools() if pool.deleted_at is None]
            if pools:
                world.faults.count(fault)
                _another_hand(world, fault, pools, most=int(numbers.get("most_instances", 0)), now=now)
            continue
        instance = world.fleet.any_running()
        if instance is None:
            continue
        world.faults.count(fault)
        if fault is Fault.INSTANCE_DIES:
            actions += world.fleet.strike_dead(instance, now=now, busy=busy)
        else:
            notice = numbers.get("seconds", 0.0)
            actions += take_away(world, instance, notice_seconds=notice, now=now, busy=busy)
    return actions


def take_away(
    world: Struck, instance: Instance, *, now: float, busy: Collection[str], notice_seconds: float = 0.0
) -> list[Action]:
    """The platform stops an instance and decides at once on another."""
    actions = world.fleet.stop(
        instance, StopCause.PREEMPTED, now=now, busy=busy, notice_seconds=notice_seconds
    )
    world.fleet.grow(world.worker_pool(instance.worker_pool), now=now)
    return actions


def _another_hand(world: Struck, fault: Fault, pools: list[WorkerPool], *, most: int, now: float) -> None:
    if fault is Fault.FOREIGN_WRITE:
        count = world.chance.randint(0, most)
        world.write_count(world.chance.choice(pools), count, caller=FOREIGN_CALLER, now=now)
        return
    pool = world.chance.choice(pools)
    before = instance_count(pool.config)
    world.delete(pool.id, tag=None, caller=FOREIGN_CALLER, now=now)
    world.writes.append(
        Write(method="DELETE", worker_pool=pool.id, from_count=before, to_count=0, status=200, at=now)
    )
