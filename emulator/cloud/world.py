"""The stand-in Cloud Run's decisions: which writes are accepted, when they take effect, which instances start and stop.

Pure: the caller brings the time and knows who is busy, performs the returned actions and reports back. Must not know
HTTP, processes or GitHub. Severe where Google is silent: victims are arbitrary, a settled count says nothing about
instances that are still stopping, and a pending zero is carried out although a raise follows it.

One file of more than 350 lines, because what a fault does stands beside the normal course that it bends, on the same state.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import Any

from emulator.cloud.container_engine import obstacle_to_containers
from emulator.cloud.delays import Delays
from emulator.cloud.documents import worker_pool_document
from emulator.cloud.errors import (
    AbortedError,
    AlreadyExistsError,
    FailedPreconditionError,
    InternalError,
    NotFoundError,
)
from emulator.cloud.faults import CATALOGUE, CloudFaults, Fault
from emulator.cloud.fleet import NOBODY, Fleet
from emulator.cloud.launch import milli_cpu, obstacle_to_launch
from emulator.cloud.normal_form import in_normal_form
from emulator.cloud.rate_faults import strike_at_a_rate, take_away
from emulator.cloud.wire import etag_version
from emulator.cloud.worker_pool import (
    Action,
    Change,
    LaterCount,
    Operation,
    Revision,
    StopCause,
    WorkerPool,
    Write,
)
from emulator.cloud.worker_pool_config import (
    check_worker_pool_id,
    instance_count,
    needs_revision,
    new_config,
    patched_config,
)

COUNT_MASK = ("scaling.manualInstanceCount",)


class CloudWorld:
    """Every worker pool, operation and instance of one project in one region."""

    def __init__(
        self,
        *,
        project: str,
        region: str,
        delays: Delays,
        chance: Random,
        names: Random,
        secret_exists: Callable[[str, str], bool],
        images_run: bool = False,
    ) -> None:
        self.parent = f"projects/{project}/locations/{region}"
        self.operations: dict[str, Operation] = {}
        self.faults = CloudFaults(catalogue=CATALOGUE, chance=chance)
        self.fleet = Fleet(delays=delays, chance=chance, names=names, faults=self.faults)
        self.writes: list[Write] = []
        self.shows_normal_form = False
        self._project = project
        self._region = region
        self._delays = delays
        self.chance = chance
        self._names = names
        self._secret_exists = secret_exists
        self._images_run = images_run
        self._pools: dict[str, WorkerPool] = {}
        self._deleted: list[WorkerPool] = []
        self._version = 0

    # What customers ask for.

    def worker_pools(self, *, show_deleted: bool = False) -> list[WorkerPool]:
        """By id; the deleted ones last."""
        return sorted(self._pools.values(), key=lambda pool: pool.id) + (
            self._deleted if show_deleted else []
        )

    def worker_pool(self, pool_id: str) -> WorkerPool:
        """Raises NotFoundError."""
        if pool_id not in self._pools:
            raise NotFoundError(
                f"Resource '{pool_id}' of kind 'WORKER_POOL' in region '{self._region}' "
                f"in project '{self._project}' does not exist."
            )
        return self._pools[pool_id]

    def create(
        self, pool_id: str, body: dict[str, Any], *, caller: str, now: float, validate_only: bool = False
    ) -> Operation:
        """Raises InvalidArgumentError or AlreadyExistsError."""
        check_worker_pool_id(pool_id)
        config = new_config(body)
        if pool_id in self._pools:
            raise AlreadyExistsError(f"Resource '{pool_id}' already exists.")
        pool = WorkerPool(
            name=f"{self.parent}/workerPools/{pool_id}",
            uid=self._uuid(),
            config=config,
            generation=1,
            version=self._next_version(now),
            created_at=now,
            updated_at=now,
            creator=caller,
            last_modifier=caller,
            condition_since=now,
        )
        if validate_only:
            return self._done_operation(pool)
        self._pools[pool_id] = pool
        return self._accept(pool, makes_revision=True, now=now)

    def patch(
        self,
        pool_id: str,
        body: dict[str, Any],
        *,
        mask: Sequence[str],
        caller: str,
        now: float,
        validate_only: bool = False,
        allow_missing: bool = False,
        force_new_revision: bool = False,
    ) -> Operation:
        """Raises InvalidArgumentError, NotFoundError, AbortedError (stale etag) or FailedPreconditionError."""
        if allow_missing and pool_id not in self._pools:
            return self.create(pool_id, body, caller=caller, now=now, validate_only=validate_only)
        pool = self._writable(pool_id, tag=body.get("etag"))
        config = patched_config(pool.config, body, mask)
        if self.shows_normal_form and any(path.partition(".")[0] == "template" for path in mask):
            config = in_normal_form(config)
        if validate_only:
            return self._done_operation(pool)
        counted = instance_count(config) != instance_count(pool.config)
        if counted and (echo := self.faults.strike(Fault.PATCH_TWICE)):
            pool.echoes.append(
                LaterCount(at=now + echo["seconds"], count=instance_count(config), caller=caller)
            )
        makes_revision = force_new_revision or needs_revision(pool.config, config)
        return self._write(pool, config, makes_revision=makes_revision, caller=caller, now=now)

    def _write(
        self, pool: WorkerPool, config: dict[str, Any], *, makes_revision: bool, caller: str, now: float
    ) -> Operation:
        if config != pool.config or makes_revision:
            pool.generation += 1
        pool.config = config
        pool.last_modifier = caller
        pool.updated_at = now
        return self._accept(pool, makes_revision=makes_revision, now=now)

    def delete(
        self, pool_id: str, *, tag: str | None, caller: str, now: float, validate_only: bool = False
    ) -> Operation:
        """Raises NotFoundError, AbortedError or FailedPreconditionError."""
        pool = self._writable(pool_id, tag=tag)
        if validate_only:
            return self._done_operation(pool)
        pool.deleted_at = now
        pool.last_modifier = caller
        pool.generation += 1
        return self._accept(pool, makes_revision=False, now=now)

    def operation(self, name: str) -> Operation:
        """Raises NotFoundError."""
        if name not in self.operations:
            raise NotFoundError(f"Operation '{name}' was not found.")
        return self.operations[name]

    def forget_operation(self, name: str) -> None:
        """Raises NotFoundError. The change itself goes on."""
        del self.operations[self.operation(name).name]

    # What time and the instances' processes bring.

    def advance(self, now: float, busy: Collection[str] = NOBODY) -> list[Action]:
        """Carries out everything that is due and returns what the host has to do, in order."""
        actions: list[Action] = []
        for pool in list(self._pools.values()):
            for change in list(pool.changes):
                if not change.acted and change.act_at <= now:
                    actions += self._act(pool, change, now=now, busy=busy)
                if change.acted and change.done_at <= now:
                    self._settle(pool, change, now=now)
            while pool.late_effects and pool.late_effects[0].at <= now:
                effect = pool.late_effects.pop(0)
                actions += self._move(
                    pool, effect.count, StopCause.SCALE_IN, by=effect.caller, now=now, busy=busy
                )
        self._repeat_writes(now)
        actions += strike_at_a_rate(self, now=now, busy=busy)
        for instance in self.fleet.due_launches(now):
            if self.faults.strike(Fault.FAILED_START):
                self.instance_ended(instance.id, exit_code=1, signal=None, now=now, busy=busy)
        return actions + self.fleet.advance(now)

    def next_due(self) -> float | None:
        """When `advance` has something to do again; None while everything rests."""
        return min(self._due_times(), default=None)

    def instance_started(self, instance_id: str, *, pid: int, now: float) -> None:
        self.fleet.started(instance_id, pid=pid, now=now)

    def instance_ended(
        self,
        instance_id: str,
        *,
        exit_code: int | None,
        signal: int | None,
        now: float,
        busy: Collection[str] = NOBODY,
    ) -> None:
        """Every process of the instance is gone. The platform puts a fresh one in its place, whatever the code."""
        instance = self.fleet.ended(instance_id, exit_code=exit_code, signal=signal, now=now, busy=busy)
        pool = self._pools.get(instance.worker_pool)
        if pool is not None:
            self.fleet.replace_soon(pool, now=now)

    def preempt(self, instance_id: str, *, now: float, busy: Collection[str] = NOBODY) -> list[Action]:
        """The platform takes an instance away and starts another. Raises NotFoundError."""
        return take_away(self, self.fleet.running(instance_id), now=now, busy=busy)

    # How a write takes effect.

    def _accept(self, pool: WorkerPool, *, makes_revision: bool, now: float) -> Operation:
        if not pool.changes:
            pool.condition_since = now
        pool.version = self._next_version(now)
        previous = pool.changes[-1] if pool.changes else None
        act_at = max(now + self._delays.act.drawn(self.chance), previous.act_at if previous else now)
        done_at = max(act_at + self._delays.settle.drawn(self.chance), previous.done_at if previous else now)
        if stuck := self.faults.strike(Fault.OPERATION_STUCK, at=pool.id):
            done_at += stuck["seconds"]
        is_count = not makes_revision and pool.deleted_at is None
        failed = is_count and self.faults.strike(Fault.OPERATION_FAILED, at=pool.id)
        operation = Operation(name=f"{self.parent}/operations/{self._uuid()}", metadata={})
        self.operations[operation.name] = operation
        pool.changes.append(
            Change(
                generation=pool.generation,
                config=pool.config,
                makes_revision=makes_revision,
                deletes=pool.deleted_at is not None,
                act_at=act_at,
                done_at=done_at,
                operation=operation,
                caller=pool.last_modifier,
                refusal=InternalError("An internal error has occurred.") if failed else None,
            )
        )
        operation.metadata = worker_pool_document(pool)
        return operation

    def _act(self, pool: WorkerPool, change: Change, *, now: float, busy: Collection[str]) -> list[Action]:
        change.acted = True
        actions: list[Action] = []
        if change.makes_revision:
            template = change.config["template"]
            pool.latest_created_revision = f"{pool.id}-{change.generation:05d}-{self._letters(3)}"
            change.failure = obstacle_to_launch(
                template,
                project=self._project,
                secret_exists=self._secret_exists,
                images_run=self._images_run,
            )
            if change.failure is None and self._images_run:
                change.failure = obstacle_to_containers(template)
            if change.failure is None:
                pool.serving = Revision(name=pool.latest_created_revision, template=template)
                actions += self.fleet.stop_all(pool, StopCause.REVISION, by=change.caller, now=now, busy=busy)
        else:
            change.failure = pool.failure
        if change.refusal is None:
            actions += self._turn_to_count(pool, change, now=now, busy=busy)
        if change.makes_revision:
            self.fleet.grow(pool, now=now)  # what the old revision had, although a raise was refused
        return actions

    def _turn_to_count(
        self, pool: WorkerPool, change: Change, *, now: float, busy: Collection[str]
    ) -> list[Action]:
        if change.deletes:
            pool.late_effects.clear()
            return self._move(pool, 0, StopCause.DELETED, by=change.caller, now=now, busy=busy)
        count = instance_count(change.config)
        if count > pool.target and self.faults.strike(Fault.CPU_QUOTA, at=pool.id):
            change.refusal = FailedPreconditionError(
                f"Quota violated: - CpuAllocPerProjectRegion requested: {milli_cpu(change.config['template']) * count} allowed: 0"
            )
            return []
        waiting = pool.late_effects[-1].at if pool.late_effects else None
        late = self.faults.strike(Fault.LATE_EFFECT) if count != pool.target else None
        if late or waiting is not None:
            # One after the other: no count overtakes an older one.
            at = max(change.done_at + late["seconds"] if late else now, waiting or now)
            pool.late_effects.append(LaterCount(at=at, count=count, caller=change.caller))
            return []
        first = pool.changes[0] is change  # an older operation that is not done yet keeps its turn
        early = self.faults.strike(Fault.SETTLED_EARLY) if first and count < self.fleet.count(pool) else None
        if early:
            change.done_at = now
        notice = early["seconds"] if early else 0.0
        return self._move(
            pool,
            count,
            StopCause.SCALE_IN,
            by=change.caller,
            now=now,
            busy=busy,
            notice_seconds=notice,
        )

    def _move(
        self,
        pool: WorkerPool,
        target: int,
        cause: StopCause,
        *,
        by: str,
        now: float,
        busy: Collection[str],
        notice_seconds: float = 0.0,
    ) -> list[Action]:
        pool.target = target
        actions = self.fleet.shrink(pool, cause, by=by, now=now, busy=busy, notice_seconds=notice_seconds)
        self.fleet.grow(pool, now=now)
        return actions

    # What goes wrong by itself.

    def _repeat_writes(self, now: float) -> None:
        for pool in self._pools.values():
            while pool.echoes and pool.echoes[0].at <= now:
                echo = pool.echoes.pop(0)
                if pool.deleted_at is None:
                    self.write_count(pool, echo.count, caller=echo.caller, now=now)

    def write_count(self, pool: WorkerPool, count: int, *, caller: str, now: float) -> None:
        """A write that no customer of this moment has sent."""
        before = instance_count(pool.config)
        config = patched_config(pool.config, {"scaling": {"manualInstanceCount": count}}, COUNT_MASK)
        self._write(pool, config, makes_revision=False, caller=caller, now=now)
        self.writes.append(
            Write(method="PATCH", worker_pool=pool.id, from_count=before, to_count=count, status=200, at=now)
        )

    def _settle(self, pool: WorkerPool, change: Change, *, now: float) -> None:
        pool.changes.remove(change)
        pool.observed_generation = change.generation
        pool.failure = change.failure
        pool.refusal = None if change.refusal is None else change.refusal.message
        pool.version = self._next_version(now)
        pool.condition_since = now
        if change.deletes:
            del self._pools[pool.id]
            self._deleted.append(pool)
        if change.failure is not None and change.makes_revision:
            change.operation.error = FailedPreconditionError(change.failure)
        elif change.refusal is not None:
            change.operation.error = change.refusal
        else:
            change.operation.response = worker_pool_document(pool)

    # Small questions.

    def _writable(self, pool_id: str, *, tag: str | None) -> WorkerPool:
        pool = self.worker_pool(pool_id)
        if tag and self.faults.strike(Fault.STALE_ETAG, at=pool_id):
            pool.version = self._next_version(0)
        # AIP-154 has a stale etag refused with ABORTED; that an update mask does not switch this off is assumed.
        if tag and etag_version(tag) != str(pool.version):
            raise AbortedError(
                f"Conflict for resource '{pool_id}': version '{etag_version(tag)}' was specified "
                f"but current version is '{pool.version}'."
            )
        if pool.deleted_at is not None:
            raise FailedPreconditionError(f"Resource '{pool_id}' is being deleted.")
        return pool

    def _due_times(self) -> Iterator[float]:
        for pool in self._pools.values():
            for change in pool.changes:
                yield change.done_at if change.acted else change.act_at
            yield from (later.at for later in (*pool.late_effects[:1], *pool.echoes[:1]))
        yield from self.faults.due_times()
        yield from self.fleet.due_times()

    def _done_operation(self, pool: WorkerPool) -> Operation:
        document = worker_pool_document(pool)
        operation = Operation(
            name=f"{self.parent}/operations/{self._uuid()}", metadata=document, response=document
        )
        self.operations[operation.name] = operation
        return operation

    def _next_version(self, now: float) -> int:
        self._version = max(self._version + 1, int(now * 1_000_000))
        return self._version

    def _uuid(self) -> str:
        digits = f"{self._names.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _letters(self, count: int) -> str:
        return "".join(self._names.choice("bcdfghjkmnpqrstvwxz") for _ in range(count))
