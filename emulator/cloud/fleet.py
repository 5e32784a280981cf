"""All instances of the stand-in cloud: which start, which are stopped and why, when SIGKILL is due.

Pure: time, chance and who is busy come from the caller. Must not know writes and operations.
"""

from collections.abc import Collection, Iterator
from random import Random

from emulator.cloud.delays import STOP_GRACE_SECONDS, Delays
from emulator.cloud.errors import NotFoundError
from emulator.cloud.faults import CloudFaults, Fault
from emulator.cloud.worker_pool import (
    Action,
    Instance,
    InstanceState,
    Kill,
    Launch,
    Stop,
    StopCause,
    Terminate,
    WorkerPool,
)

NOBODY: frozenset[str] = frozenset()


class Fleet:
    """Keeps each worker pool at its target; an instance that is gone stays in the books."""

    def __init__(self, *, delays: Delays, chance: Random, names: Random, faults: CloudFaults) -> None:
        self.instances: dict[str, Instance] = {}
        self.stops: list[Stop] = []
        self._delays = delays
        self._chance = chance
        self._names = names
        self._faults = faults

    def advance(self, now: float) -> list[Action]:
        """The starts, terminations and kills that are due."""
        actions: list[Action] = []
        for instance in self.instances.values():
            if instance.waits_for_launch and instance.start_at <= now:
                instance.launched = True
                actions.append(
                    Launch(instance=instance.id, worker_pool=instance.worker_pool, revision=instance.revision)
                )
            if instance.terminate_at is not None and instance.terminate_at <= now:
                instance.terminate_at = None
                actions.append(Terminate(instance=instance.id))
            if instance.kill_at is not None and instance.kill_at <= now:
                instance.kill_at = None
                if instance.stop is not None:
                    instance.stop.killed = True
                actions.append(Kill(instance=instance.id))
        return actions

    def due_times(self) -> Iterator[float]:
        for instance in self.instances.values():
            if instance.waits_for_launch:
                yield instance.start_at
            if instance.terminate_at is not None:
                yield instance.terminate_at
            if instance.kill_at is not None:
                yield instance.kill_at

    def started(self, instance_id: str, *, pid: int, now: float) -> None:
        instance = self.instances[instance_id]
        instance.pid, instance.started_at = pid, now
        if instance.state is InstanceState.STARTING:
            instance.state = InstanceState.RUNNING

    def ended(
        self,
        instance_id: str,
        *,
        exit_code: int | None,
        signal: int | None,
        now: float,
        busy: Collection[str],
    ) -> Instance:
        """Every process of the instance is gone."""
        instance = self.instances[instance_id]
        instance.state = InstanceState.GONE
        instance.ended_at = now
        instance.exit_code = exit_code
        instance.signal = signal
        instance.terminate_at = instance.kill_at = None
        if instance.stop is not None:
            # A job that came between the choice and the end is lost, too.
            instance.stop.was_busy |= instance_id in busy
        return instance

    def running(self, instance_id: str) -> Instance:
        """An instance that counts. Raises NotFoundError."""
        instance = self.instances.get(instance_id)
        if instance is None or not instance.counted:
            raise NotFoundError(f"Instance '{instance_id}' is not running.")
        return instance

    def replace_soon(self, pool: WorkerPool, *, now: float) -> None:
        """After an exit: a fresh instance, whatever the code was."""
        self.grow(pool, now=now + self._delays.replacement.drawn(self._chance))

    def grow(self, pool: WorkerPool, *, now: float) -> None:
        """Decides to start what is missing to the target."""
        if pool.serving is None:
            return
        for _ in range(pool.target - self.count(pool)):
            slow = self._faults.strike(Fault.SLOW_START)
            instance = Instance(
                # As long as the real ones, which are more than 100 hexadecimal digits.
                id=f"00{self._names.getrandbits(248):062x}",
                pool_uid=pool.uid,
                worker_pool=pool.id,
                revision=pool.serving,
                start_at=now
                + self._delays.container_start.drawn(self._chance)
                + (slow["seconds"] if slow else 0.0),
            )
            self.instances[instance.id] = instance

    def shrink(
        self,
        pool: WorkerPool,
        cause: StopCause,
        *,
        now: float,
        busy: Collection[str],
        by: str | None = None,
        notice_seconds: float = 0.0,
    ) -> list[Action]:
        """Stops arbitrary instances above the target, busy or not: nobody can choose them on Cloud Run either."""
        counted = self._counted(pool)
        victims = self._chance.sample(counted, max(0, len(counted) - pool.target))
        return [
            action
            for victim in victims
            for action in self.stop(victim, cause, now=now, busy=busy, by=by, notice_seconds=notice_seconds)
        ]

    def stop_all(
        self,
        pool: WorkerPool,
        cause: StopCause,
        *,
        now: float,
        busy: Collection[str],
        by: str | None = None,
    ) -> list[Action]:
        return [
            action
            for instance in self._counted(pool)
            for action in self.stop(instance, cause, now=now, busy=busy, by=by)
        ]

    def stop(
        self,
        instance: Instance,
        cause: StopCause,
        *,
        now: float,
        busy: Collection[str],
        by: str | None = None,
        notice_seconds: float = 0.0,
    ) -> list[Action]:
        """SIGTERM after the notice and SIGKILL 10 s later; an instance without a process yet is simply gone.

        `by` is whose write chose it; None for the platform's own choice.
        """
        self._note_stop(instance, cause, now=now, busy=busy, by=by)
        if not instance.launched:
            instance.state, instance.ended_at = InstanceState.GONE, now
            return []
        instance.state = InstanceState.STOPPING
        instance.kill_at = now + notice_seconds + STOP_GRACE_SECONDS
        if notice_seconds:
            instance.terminate_at = now + notice_seconds
            return []
        return [Terminate(instance=instance.id)]

    def strike_dead(self, instance: Instance, *, now: float, busy: Collection[str]) -> list[Action]:
        """SIGKILL without a warning."""
        self._note_stop(instance, StopCause.DIED, now=now, busy=busy).killed = True
        instance.state = InstanceState.STOPPING
        return [Kill(instance=instance.id)]

    def any_running(self) -> Instance | None:
        """One by chance; None when none runs."""
        running = [i for i in self.instances.values() if i.state is InstanceState.RUNNING]
        return self._chance.choice(running) if running else None

    def due_launches(self, now: float) -> list[Instance]:
        return [i for i in self.instances.values() if i.waits_for_launch and i.start_at <= now]

    def count(self, pool: WorkerPool) -> int:
        """How many instances stand for those that were asked for."""
        return len(self._counted(pool))

    def _note_stop(
        self,
        instance: Instance,
        cause: StopCause,
        *,
        now: float,
        busy: Collection[str],
        by: str | None = None,
    ) -> Stop:
        stop = Stop(
            instance=instance.id,
            worker_pool=instance.worker_pool,
            cause=cause,
            was_busy=instance.id in busy,
            by=by,
            at=now,
        )
        instance.stop = stop
        self.stops.append(stop)
        return stop

    def _counted(self, pool: WorkerPool) -> list[Instance]:
        return [i for i in self.instances.values() if i.pool_uid == pool.uid and i.counted]
