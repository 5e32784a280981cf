"""PURE: a whole deployment of cells over one trace: jobs come in, faults strike, everything is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord, CellState
from runner_agent.lifecycle.states import Timing
from scaler.core.model import Policy
from scaler.core.schedule import next_change
from simulator.assumptions import Assumptions
from simulator.cells.agent import Agent
from simulator.cells.bystander import Bystander
from simulator.cells.cloud import Instance, ModelCloud, Stopper
from simulator.cells.default_pools import cells_of, one_pool
from simulator.cells.door import Door
from simulator.cells.github import ModelGitHub, Repository
from simulator.cells.process import ScalerProcess
from simulator.cells.store import ModelStore
from simulator.cells.times import DEFAULT_TIMES, Times
from simulator.cells.weather import Weather
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome, Sample
from simulator.trace import Trace, TraceJob
from simulator.virtual_time import VirtualTime

# Virtual time begins well after the epoch, since records call the moment zero "never".
BEGINS_AT = 1_000_000.0

SAMPLE_SECONDS = 60.0

# A world that is not at rest so long after its last job was queued is given up; its unfinished jobs are told.
PATIENCE_SECONDS = 24 * 3600.0

RESTART_SECONDS = (2.0, 60.0)

DAY_SECONDS = 86_400.0


@dataclass(slots=True, kw_only=True)
class Witnessed:
    """What happened in a world beside its numbers."""

    crashes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    killed_runners: int = 0
    decisions: int = 0


class CellsWorld:
    """One run. `run()` it once."""

    def __init__(
        self,
        trace: Trace,
        assumptions: Assumptions,
        faults: Faults = NO_FAULTS,
        *,
        policy: Policy | None = None,
        sizes: Mapping[str, Sequence[int]] | None = None,
        name: str = "cells",
        processes: int = 1,
        times: Times = DEFAULT_TIMES,
        faults_end: float = float("inf"),
        patience: float = PATIENCE_SECONDS,
        bystander: Bystander | None = None,
        begins_at: float = BEGINS_AT,
    ) -> None:
        """`policy`: without one a single pool serves every job. `sizes`: of the cells of each pool, by its name.

        `faults_end`: seconds since the trace began after which nothing new goes wrong. `patience`: how long after that, or
        after the last job was queued, the world is given up. `begins_at`: the moment of the trace's beginning, seconds since the
        epoch; only schedules ask for it.
        """
        self._begins_at = begins_at
        self._trace, self._assumptions, self._name = trace, assumptions, name
        self._times, self._faults_end, self._patience = times, faults_end, patience
        self._bystander = bystander or Bystander()
        self.chance = Random(assumptions.seed)  # noqa: S311 - no secret hangs on it
        self.time = VirtualTime(begins_at)
        self._policy = policy or one_pool(trace, assumptions, times)
        self._cells = cells_of(self._policy, sizes, assumptions)
        self._labels = {pool.name: pool.labels for pool in self._policy.pools}
        self._boots = count(1)
        self._lives = count(1)
        self.at_rest = False
        self._samples: list[Sample] = []
        self.witnessed = Witnessed()
        self.weather = Weather(faults, chance=self.chance, struck=self._struck)
        self.store = ModelStore([cell.name for cell in self._cells], self._written, self._asked_for)
        self.github = ModelGitHub(
            self.time, weather=self.weather, changed=self._webhook, moved=self._bystander.job_moved
        )
        self.cloud = ModelCloud(
            {cell.name: cell.size for cell in self._cells},
            time=self.time,
            chance=self.chance,
            start=assumptions.start,
            restart=assumptions.restart,
            settle=assumptions.settle,
            writes_per_minute=assumptions.writes_per_minute,
            weather=self.weather,
            begins_at=begins_at,
            move_in=self._move_in,
            counted=self._bystander.counted,
        )
        self._pool_of = {cell.name: cell.pool for cell in self._cells}
        self.processes: list[ScalerProcess] = []
        self.door = Door(self, time=self.time, chance=self.chance, weather=self.weather)
        self._wanted_processes = processes

    def run(self) -> Outcome:
        """Live through the whole trace, and until everything is at rest."""
        for _ in range(self._wanted_processes):
            self.start_process()
        self._feed(0)
        self.time.after(SAMPLE_SECONDS, self._sample)
        if any(pool.schedule for pool in self._policy.pools):
            self._await_change()
        faults = self.weather.faults
        self._now_and_then(faults.preemptions_per_hour, self._preempt)
        self._now_and_then(faults.crashes_per_hour, self._crash_one)
        self._now_and_then(faults.foreign_writes_per_hour, self._write_by_another)
        last = self._trace[-1].queued_at if self._trace else 0.0
        if self._faults_end < float("inf"):
            self.time.at(self._begins_at + self._faults_end, self.weather.clear_up)
            last = max(last, self._faults_end)
        self.time.run(until=self._begins_at + last + self._patience, over=lambda: self.at_rest)
        self.cloud.close_the_books()
        return self._outcome()

    # What the parts of the world tell.

    def start_process(self) -> None:
        """A scaler starts."""
        process = ScalerProcess(
            f"scaler-{next(self._lives)}",
            policy=self._policy,
            cells=self._cells,
            time=self.time,
            chance=self.chance,
            store=self.store,
            cloud=self.cloud,
            github=self.github,
            weather=self.weather,
            times=self._times,
            write=self._assumptions.write,
            writes_per_minute=self._assumptions.writes_per_minute,
            registrations_per_minute=self._assumptions.registrations_per_minute,
            watcher=self,
        )
        self.processes.append(process)
        process.live()

    def crashed(self, process: ScalerProcess, step: str) -> None:
        """A scaler is killed at a step; another takes its place."""
        self.witnessed.crashes[step] += 1
        self._bystander.crashed(process.name, step)
        process.die()
        self.processes.remove(process)
        self.time.after(self.chance.uniform(*RESTART_SECONDS), self.start_process)

    def decided(self, broken: list[str]) -> None:
        """A scaler has decided; what of that breaks an invariant."""
        self.witnessed.decisions += 1
        for each in broken:
            self._break(each)

    def write_sent(self, process: ScalerProcess, cell: str) -> None:
        """A scaler begins to send a count."""
        self._bystander.write_sent(process.name, cell)

    def write_over(self, process: ScalerProcess, cell: str) -> None:
        """A scaler knows how its write ended."""
        self._bystander.write_over(process.name, cell)

    def agent_stopped(self, agent: Agent, stopper: Stopper) -> None:
        """An instance whose runner lives is being stopped."""
        self._bystander.runner_stopped(agent, stopper)
        self.witnessed.killed_runners += stopper is Stopper.OURS

    def _written(self, cell: str, before: CellRecord, after: CellRecord) -> None:
        for process in self.processes:
            process.heard_in(cell)
        self._bystander.record_changed(cell, before, after)

    def _asked_for(self, before: DeploymentRecord, after: DeploymentRecord) -> None:
        for cell, _ in before.requested.items() ^ after.requested.items():
            for process in self.processes:
                process.heard_in(cell)
        self._bystander.deployment_changed(before, after)

    def _struck(self, fault: str) -> None:
        self.witnessed.faults[fault] += 1
        self._bystander.struck(fault)

    def _break(self, what: str) -> None:
        self.witnessed.broken.append(what)
        self._bystander.broken(what)

    def _webhook(self, repository: Repository) -> None:
        if self.weather.strikes("webhook lost", self.weather.faults.webhooks_lost):
            return
        if not repository.told:
            repository.told = True
            self.time.after(self._assumptions.webhook, partial(self._tell, repository))

    def _tell(self, repository: Repository) -> None:
        repository.told = False
        for process in self.processes:
            process.look(repository)

    def _move_in(self, instance: Instance) -> Agent:
        agent = Agent(
            instance=instance,
            boot=f"boot-{next(self._boots)}",
            time=self.time,
            chance=self.chance,
            github=self.github,
            scaler=self.door,
            timing=Timing(max_lifetime=self._times.max_lifetime),
            registration=self._assumptions.registration,
            labels=self._labels[self._pool_of[instance.cell]],
            weather=self.weather,
            exited=self._exited,
            started=self._bystander.runner_started,
            stopped=self.agent_stopped,
        )
        # The container is counted before its first step, which may already be its last.
        instance.resident = agent
        self._bystander.moved_in(agent)
        self.time.after(0.0, agent.boot_up)
        return agent

    def _exited(self, instance: Instance) -> None:
        assert isinstance(instance.resident, Agent)
        self.door.gone(instance.cell, instance.resident.boot)
        self.cloud.exited(instance)

    # What happens.

    def _feed(self, index: int) -> None:
        if index < len(self._trace):
            job = self._trace[index]
            self.time.at(self._begins_at + job.queued_at, partial(self._queue, job, index))

    def _queue(self, job: TraceJob, index: int) -> None:
        self.github.queue(job)
        self._feed(index + 1)

    def _sample(self) -> None:
        now = self.time.now - self._begins_at
        self._samples.append(
            Sample(
                at=now,
                instances=self.cloud.instances,
                running=self.github.running,
                queued=self.github.queued,
            )
        )
        fed = len(self.github.jobs) == len(self._trace)
        if fed and self.github.over == len(self.github.jobs) and (self._keeps_some or self._is_quiet):
            self.at_rest = True
        else:
            self.time.after(SAMPLE_SECONDS, self._sample)

    def _await_change(self) -> None:
        """A scaler at rest does not tick here, as the real one does; so it is woken where a schedule changes."""
        now = self.time.now
        self.time.at(next_change(self._policy, after=now, until=now + DAY_SECONDS), self._change)

    def _change(self) -> None:
        for process in self.processes:
            process.nudge()
        self._await_change()

    @property
    def _keeps_some(self) -> bool:
        """Whether some pool keeps instances at some time, so that all need never be at rest."""
        pools = self._policy.pools
        kept = [pool.min + pool.warm for pool in pools]
        kept += [(entry.min or 0) + (entry.warm or 0) for pool in pools for entry in pool.schedule]
        return any(kept)

    @property
    def _is_quiet(self) -> bool:
        zero = all(each.state is CellState.ZERO and not each.leases for each in self.store.cells.values())
        return self.cloud.quiet and zero

    def _now_and_then(self, per_hour: float, what: Callable[[], None]) -> None:
        def go_on() -> None:
            if self.weather.faults is not NO_FAULTS:
                what()
                self._now_and_then(per_hour, what)

        if per_hour:
            self.time.after(self.chance.expovariate(per_hour / 3600.0), go_on)

    def _preempt(self) -> None:
        if self.cloud.instances:
            self._struck("preemption")
        self.cloud.preempt()

    def _crash_one(self) -> None:
        if self.processes:
            self._struck("crash at any moment")
            self.crashed(self.chance.choice(self.processes), "anywhere")

    def _write_by_another(self) -> None:
        self._struck("count written by another hand")
        self.cloud.set_by_another()

    def _outcome(self) -> Outcome:
        jobs = self.github.jobs
        failed = [job for job in jobs if job.ended_at is not None and not job.succeeded]
        killed = sum(job.stopped_by == Stopper.OURS.value for job in failed)
        assumed = self._assumptions
        return Outcome(
            policy=self._name,
            jobs=len(self._trace),
            completed=sum(job.succeeded for job in jobs),
            killed=killed,
            lost=len(failed) - killed,
            waits=tuple(job.started_at - job.queued_at for job in jobs if job.started_at is not None),
            paid=self.cloud.paid,
            ideal=sum(job.duration + assumed.start + assumed.registration for job in self._trace),
            writes=self.cloud.writes,
            lowering_writes=self.cloud.lowering_writes,
            registrations=self.github.registrations,
            cells=self.cloud.used_cells,
            peak_instances=self.cloud.peak,
            samples=tuple(self._samples),
        )
