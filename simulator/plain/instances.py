"""PURE: the instances of one worker pool: they start, register, take the oldest job, and go.

A container is up `start` seconds after its instance was asked for, registers as soon as the bucket of registrations lets it,
listens `registration` seconds later. An ephemeral runner leaves after its job and its container with it; `restart` seconds
later a replacement in the same instance is up and registers. A runner that is not ephemeral stays and takes the next job at
once. Which runner takes a job makes no difference here: the one that has listened longest.

An instance is paid for from the moment the count asks for it until it is gone, whatever it does; a victim is gone `settle`
seconds after the count was lowered. An instance that is not allowed to come is not paid for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from simulator.assumptions import Assumptions
from simulator.plain.bucket import Bucket
from simulator.plain.jobs import Ending, Job, Jobs
from simulator.virtual_time import VirtualTime


@dataclass(slots=True, eq=False, kw_only=True)
class Instance:
    """`life` changes with everything that makes what was planned for it void."""

    since: float
    life: int = 0
    job: Job | None = None


class Instances:
    """All instances that exist. `job_over` is called after a job's end, whatever the ending."""

    def __init__(
        self,
        *,
        time: VirtualTime,
        jobs: Jobs,
        assumptions: Assumptions,
        chance: Random,
        ephemeral: bool,
        job_over: Callable[[], None],
    ) -> None:
        self.paid_of_the_gone = 0.0
        self.registrations = 0
        self.peak = 0
        self._time = time
        self._jobs = jobs
        self._given = assumptions
        self._chance = chance
        self._ephemeral = ephemeral
        self._job_over = job_over
        self._all: dict[Instance, None] = {}
        self._listening: dict[Instance, None] = {}
        self._bucket = Bucket(assumptions.registrations_per_minute)
        self._unregistered: deque[tuple[Instance, int]] = deque()

    def __len__(self) -> int:
        return len(self._all)

    def paid(self) -> float:
        """Seconds of all instances so far."""
        return self.paid_of_the_gone + sum(self._time.now - instance.since for instance in self._all)

    def add(self, number: int) -> None:
        """So many more instances come."""
        for _ in range(number):
            instance = Instance(since=self._time.now)
            self._all[instance] = None
            self._then(self._given.start, instance, self._up)
        self.peak = max(self.peak, len(self._all))

    def stop_some(self, number: int) -> None:
        """So many instances are stopped, each as likely as any other, busy or not; a busy one's job is killed."""
        for victim in self._chance.sample(list(self._all), number):
            self._leave_idle(victim)
            del self._all[victim]
            self.paid_of_the_gone += self._time.now + self._given.settle - victim.since
            self._end_job(victim, Ending.KILLED)

    def preempt_one(self) -> None:
        """Any instance is stopped and replaced in its place; a busy one's job is lost."""
        if self._all:
            instance = self._chance.choice(list(self._all))
            self._leave_idle(instance)
            self._then(self._given.restart, instance, self._up)
            self._end_job(instance, Ending.LOST)

    def serve(self) -> None:
        """Queued jobs go to listening runners."""
        while self._jobs.queued and self._listening:
            instance = next(iter(self._listening))
            self._leave_idle(instance)
            instance.job = self._jobs.begin_oldest(self._time.now)
            self._then(instance.job.of.duration, instance, self._completed)

    def _completed(self, instance: Instance) -> None:
        if self._ephemeral:
            self._then(self._given.restart, instance, self._up)
        else:
            self._listen(instance)
        self._end_job(instance, Ending.COMPLETED)
        self.serve()

    def _end_job(self, instance: Instance, ending: Ending) -> None:
        if instance.job is not None:
            self._jobs.end(instance.job, ending, self._time.now)
            instance.job = None
            self._job_over()

    def _up(self, instance: Instance) -> None:
        self._unregistered.append((instance, instance.life))
        if len(self._unregistered) == 1:
            self._register()

    def _register(self) -> None:
        """Let those register for whom the bucket has something, in the order they came; the first of the others waits for it."""
        while self._unregistered:
            instance, life = self._unregistered[0]
            if instance.life == life and not self._bucket.take(self._time.now):
                when = self._bucket.next_at(self._time.now)
                if when < float("inf"):
                    self._time.at(when, self._register)
                return
            self._unregistered.popleft()
            if instance.life == life:
                self.registrations += 1
                self._then(self._given.registration, instance, self._listening_now)

    def _listening_now(self, instance: Instance) -> None:
        self._listen(instance)
        self.serve()

    def _listen(self, instance: Instance) -> None:
        self._listening[instance] = None

    def _leave_idle(self, instance: Instance) -> None:
        """Whatever was planned for an instance is void."""
        instance.life += 1
        self._listening.pop(instance, None)

    def _then(self, seconds: float, instance: Instance, what: Callable[[Instance], None]) -> None:
        self._time.after(seconds, partial(self._if_alive, instance, instance.life, what))

    @staticmethod
    def _if_alive(instance: Instance, life: int, what: Callable[[Instance], None]) -> None:
        if instance.life == life:
            what(instance)
