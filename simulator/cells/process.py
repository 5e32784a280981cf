"""PURE: one scaler process in virtual time: it observes, lets the real core decide, and acts, until it is killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from cell_records.deployment import DeploymentRecord, asked_for, led_by
from cell_records.record import CellRecord, CellState, job_completed, job_known, timed_out
from scaler.budget import MinuteBudget
from scaler.core.cell_steps import carrying, closing, lowers, raising
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.model import CellSeen, Decision, DemandSeen, Memory, Policy, RepositoryReading, Seen
from scaler.instances import OFFER_SECONDS
from scaler.observation import lease_seen
from simulator.cells.cloud import ModelCloud, PoolReading
from simulator.cells.desk import Desk
from simulator.cells.github import ModelGitHub, Repository
from simulator.cells.performer import Performer
from simulator.cells.store import ModelStore
from simulator.cells.times import (
    CELLS_IDLE_SECONDS,
    CELLS_SECONDS,
    CONFIRM_SECONDS,
    LEADER_RENEWAL_SECONDS,
    LEADER_TTL_SECONDS,
    SETTLE_SECONDS,
    SUSPECT_SECONDS,
    SWEEP_SECONDS,
)
from simulator.faults import Faults
from simulator.virtual_time import VirtualTime

# As in scaler/reconciler.py and scaler/loop.py.
SHRINK_RESERVE = 0.3
ADOPT_AFTER_SECONDS = 30.0

# Signals that come closer together than this share one tick. The real loop's is a fortieth of a second; this one keeps a
# simulated day short and adds at most so much to a wait.
BETWEEN_TICKS_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan:
    """A cell of the simulated deployment."""

    name: str
    pool: str
    size: int


class Watcher(Protocol):
    """Who sees what a process does."""

    def crashed(self, process: ScalerProcess, step: str) -> None:
        """It is killed at a step."""

    def decided(self, broken: list[str]) -> None:
        """It has decided; what of that breaks an invariant."""


class ScalerProcess:
    """Lives until it is killed."""

    def __init__(
        self,
        name: str,
        *,
        policy: Policy,
        cells: list[CellPlan],
        time: VirtualTime,
        chance: Random,
        store: ModelStore,
        cloud: ModelCloud,
        github: ModelGitHub,
        faults: Faults,
        write: float,
        writes_per_minute: int,
        registrations_per_minute: int,
        watcher: Watcher,
        checked: bool,
    ) -> None:
        """`checked`: whether every decision is held against `scaler.core.invariants`."""
        self.name = name
        self.alive = True
        self._policy = policy
        self._cells = {cell.name: cell for cell in sorted(cells, key=lambda each: each.name)}
        self._time, self._chance = time, chance
        self._store, self._cloud, self._github = store, cloud, github
        self._faults, self._watcher, self._checked = faults, watcher, checked
        self._begun_at = time.now
        self._memory = Memory()
        self._decision = Decision()
        self._readings: dict[str, PoolReading] = {}
        self._demand: dict[str, RepositoryReading] = {}
        self._job_of_runner: dict[int, int] = {}
        # Of leases whose job no reading has shown yet.
        self._cell_of_runner: dict[int, str] = {}
        self._seen: dict[str, CellSeen] = {}
        self._news = set(self._cells)
        self._due = float("inf")
        self._ticked_at = float("-inf")
        self._looked_at = float("-inf")
        self._confirming: set[str] = set()
        self._short = False
        # Of the cells as last seen: those that are closing, moving, and with open offers.
        self._closing: set[str] = set()
        self._unsettled: set[str] = set()
        self._offered: set[str] = set()
        self.desk = Desk(
            time=time,
            store=store,
            github=github,
            mind=self,
            registrations=MinuteBudget(registrations_per_minute),
            stumble=self.stumble,
        )
        self.performer = Performer(
            self,
            time=time,
            chance=chance,
            store=store,
            cloud=cloud,
            budget=MinuteBudget(writes_per_minute),
            faults=faults,
            write=write,
        )

    def live(self) -> None:
        """Begin."""
        self._renew()
        self._sweep()

    def die(self) -> None:
        """Be killed: nothing of it goes on but what it has sent."""
        self.alive = False
        self.desk.hang_up()

    def stumble(self, step: str, go_on: Callable[[], None]) -> None:
        """Where a fault may strike between two steps."""
        if not self.alive:
            return
        faults = self._faults
        if faults.crash_in_step and self._chance.random() < faults.crash_in_step:
            self._watcher.crashed(self, step)
        elif faults.pauses and self._chance.random() < faults.pauses:
            self._time.after(self._chance.uniform(0.0, faults.late), partial(self._resume, go_on))
        else:
            go_on()

    def _resume(self, go_on: Callable[[], None]) -> None:
        if self.alive:
            go_on()

    # What desk and performer ask and tell.

    def nudge(self) -> None:
        """Tick soon."""
        self._tick_at(self._ticked_at + BETWEEN_TICKS_SECONDS)

    def heard_in(self, cell: str) -> None:
        """A decision sees something new of a cell."""
        self._news.add(cell)

    def room(self, cell: str) -> int:
        """How many leases a cell may hold."""
        reading = self._readings.get(cell)
        requested = self._store.deployment.requested.get(cell, 0)
        return min(self._cells[cell].size, max(requested, 0 if reading is None else reading.count))

    def closes_when_empty(self, cell: str) -> bool:
        """Whether the last decision called the cell surplus, linger and second look included."""
        return self._leads and cell in self._decision.surplus

    def queued_now(self) -> int | None:
        """How many jobs the last decision saw waiting."""
        return sum(picture.queued for picture in self._decision.pools) if self._demand else None

    def is_short(self) -> bool:
        """Whether the last decision left jobs that nothing covers."""
        return self._short

    # GitHub.

    def look(self, repository: Repository) -> None:
        """Read one repository now."""
        if not self.alive:
            return
        reading = self._github.reading(repository)
        before = self._demand.get(repository.name)
        self._demand[repository.name] = reading
        self._job_of_runner.update(reading.running)
        for runner in reading.running.keys() & self._cell_of_runner.keys():
            self._news.add(self._cell_of_runner.pop(runner))
        if self._is_news(before, reading) or repository.name in self._confirming:
            self.nudge()

    @staticmethod
    def _is_news(before: RepositoryReading | None, reading: RepositoryReading) -> bool:
        """Whether a reading shows a job that waits and was not shown before; that fewer wait leads to nothing by itself."""
        newest = max((job.id for job in reading.queued), default=0)
        known = 0 if before is None else max((job.id for job in before.queued), default=0)
        return newest > known

    def _sweep(self) -> None:
        if self.alive:
            for repository in self._github.repositories.values():
                self.look(repository)
            self._time.after(SWEEP_SECONDS, self._sweep)

    def _confirm(self, name: str) -> None:
        if self.alive:
            self.look(self._github.repositories[name])
            self._confirming.discard(name)

    # The lead.

    @property
    def _leads(self) -> bool:
        deployment = self._store.deployment
        return deployment.leader == self.name and self._time.now <= deployment.until

    def _renew(self) -> None:
        if not self.alive:
            return
        led = self._leads
        self._store.change_deployment(
            lambda it: led_by(it, who=self.name, now=self._time.now, ttl_seconds=LEADER_TTL_SECONDS)
        )
        if not led and self._leads:
            self.nudge()
        self._time.after(LEADER_RENEWAL_SECONDS, self._renew)

    # The tick.

    def _tick_at(self, when: float) -> None:
        when = max(when, self._time.now)
        if when < self._due:
            self._due = when
            self._time.at(when, partial(self._tick, when))

    def _tick(self, due: float) -> None:
        if not self.alive or due != self._due:
            return
        self._due, self._ticked_at = float("inf"), self._time.now
        look = self._time.now >= self._look_due()
        if look:
            self._look_at_cells()
        self.desk.forget_silent()
        seen = self._observed()
        self._carry(fresh=look)
        decision, self._memory = decide(self._policy, seen, self._memory)
        broken = violations(self._policy, seen, decision) if self._checked else []
        self._watcher.decided(broken)
        self._decision = decision
        self._short = bool(decision.limits) or any(picture.uncovered for picture in decision.pools)
        if self._leads and not broken:
            self._act(seen, decision, fresh=look)
        if look:
            self._keep_records()
        self._plan_next(seen, decision)

    def _observed(self) -> Seen:
        now = self._time.now
        for name in list(self.performer.rests):
            self.performer.rest(name)
        for name in self._news:
            cell = self._seen[name] = self._cell_seen(self._cells[name])
            for lease in cell.leases:
                if lease.runner_id is not None and lease.job_id is None:
                    self._cell_of_runner[lease.runner_id] = name
            _note(self._offered, name, cell.offered > 0)
            moving = cell.state is CellState.CLOSING or cell.requested != cell.observed
            _note(self._unsettled, name, moving)
            closed = cell.state is not CellState.OPEN
            _note(self._closing, name, closed and (cell.state is CellState.CLOSING or bool(cell.observed)))
        self._news.clear()
        return Seen(
            at=now,
            demand=DemandSeen(repositories=self._demand, complete=True),
            cells=tuple(self._seen[name] for name in self._cells),
            registrations_left=self.desk.registrations.left(now),
            writes_left=self.performer.budget.left(now, reserve=SHRINK_RESERVE),
            shrink_writes_left=self.performer.budget.left(now),
        )

    def _cell_seen(self, cell: CellPlan) -> CellSeen:
        record, reading = self._store.cells[cell.name], self._readings.get(cell.name)
        parked, offered = self.desk.present(cell.name)
        writing = cell.name in self.performer.in_flight
        rest = self.performer.rests.get(cell.name)
        return CellSeen(
            name=cell.name,
            pool=cell.pool,
            size=cell.size,
            state=record.state,
            requested=self._store.deployment.requested.get(cell.name, 0),
            observed=None if reading is None else reading.count,
            leases=tuple(
                lease_seen(
                    lease,
                    heard=self.desk.heard.get(lease.id),
                    silent=self.desk.silence(lease.id) > SUSPECT_SECONDS,
                    jobs=self._job_of_runner,
                )
                for lease in record.leases
            ),
            parked=parked,
            offered=offered,
            ready_at=record.zeroed_at + SETTLE_SECONDS,
            writable=not writing,
            fault=None if rest is None else rest.why,
            failed=None if reading is None or writing else reading.failure,
            obstacles=record.obstacles,
            served_at=record.served_at,
            refused_at=self.performer.refused_at.get(cell.name, 0.0),
        )

    def _look_at_cells(self) -> None:
        self._looked_at = self._time.now
        for name in self._cells:
            known = self._readings.get(name)
            if known is None or not known.settled or known.etag != self._cloud.pools[name].etag:
                reading = self._readings[name] = self._cloud.read(name)
                if known != reading:
                    self._news.add(name)
            # On a fine day nobody falls silent.
            if self._checked and any(
                self.desk.silence(lease.id) > SUSPECT_SECONDS for lease in self._store.cells[name].leases
            ):
                self._news.add(name)

    def _carry(self, *, fresh: bool) -> None:
        """Any process carries a closed cell on."""
        for name in sorted(self._closing):
            record, reading = self._store.cells[name], self._readings.get(name)
            if reading is None or record.state is CellState.OPEN or name in self.performer.in_flight:
                continue
            if not fresh and not (record.state is CellState.CLOSING and reading.count):
                continue
            steps = carrying(record, reading, now=lambda: self._time.now)
            if steps is None:
                continue
            spent = self.performer.budget.left(self._time.now) <= 0
            if lowers(record, reading) and (spent or self.performer.rest(name) is not None):
                continue
            self.performer.begin(name, steps)

    def _act(self, seen: Seen, decision: Decision, *, fresh: bool) -> None:
        counts = self._corrections(seen) if fresh else {}
        counts |= {rise.cell: rise.to for rise in decision.raises}
        if counts:
            self._news.update(counts)
            self._store.change_deployment(lambda it: self._asked(it, counts))
        for rise in decision.raises:
            steps = raising(
                rise.to,
                size=self._cells[rise.cell].size,
                now=lambda: self._time.now,
                settle_seconds=SETTLE_SECONDS,
            )
            self.performer.begin(rise.cell, steps)
        for grant in decision.grants:
            self.desk.offer(grant.cell, grant.leases)
        for close in decision.closes:
            self.performer.begin(close.cell, closing())

    def _asked(self, record: DeploymentRecord, counts: dict[str, int]) -> DeploymentRecord | None:
        return asked_for(record, who=self.name, counts=counts)

    def _corrections(self, seen: Seen) -> dict[str, int]:
        counts: dict[str, int] = {}
        for cell in seen.cells:
            if cell.observed is None or not cell.writable or cell.observed == cell.requested:
                continue
            written_at = self.performer.last_write_at.get(cell.name, self._begun_at)
            if cell.state is CellState.ZERO and cell.observed == 0:
                counts[cell.name] = 0
            elif cell.state is CellState.OPEN and (
                cell.observed > cell.requested or seen.at > written_at + ADOPT_AFTER_SECONDS
            ):
                counts[cell.name] = cell.observed
        return counts

    def _keep_records(self) -> None:
        """Note which job a lease has, and remove leases whose end a witness has shown."""
        now = self._time.now
        for name in self._cells:
            record = self._store.cells[name]
            if not record.leases:
                continue
            if any(now > min(each.hard_end, each.dying_until or each.hard_end) for each in record.leases):
                self._store.change(name, lambda it: timed_out(it, now=now))
            for lease in record.leases:
                if lease.runner_id is not None and lease.runner_id in self._job_of_runner:
                    self._note_job(name, record, lease.id, lease.runner_id)

    def _note_job(self, cell: str, record: CellRecord, lease_id: str, runner: int) -> None:
        lease, job = record.lease(lease_id), self._job_of_runner[runner]
        assert lease is not None
        if lease.job_id is None:
            self._store.change(
                cell,
                lambda it: job_known(it, lease_id=lease_id, runner_id=runner, job_id=job, repository="acme"),
            )
        elif (
            self.desk.silence(lease_id) > SUSPECT_SECONDS and self._github.jobs[job - 1].ended_at is not None
        ):
            self._store.change(
                cell,
                lambda it: job_completed(
                    it, lease_id=lease_id, job_id=job, runner_id=runner, now=self._time.now
                ),
            )

    def _look_due(self) -> float:
        return self._looked_at + (CELLS_SECONDS if self._moving else CELLS_IDLE_SECONDS)

    @property
    def _moving(self) -> bool:
        decision = self._decision
        if decision.raises or decision.closes or decision.confirm or self.performer.in_flight:
            return True
        return bool(self._unsettled) or any(picture.booting for picture in decision.pools)

    def _at_rest(self, seen: Seen, decision: Decision) -> bool:
        """Whether only a signal could change anything; the real loop would look all the same, to the same end."""
        if self._unsettled or self._checked or decision.raises or decision.limits:
            return False
        return not any(reading.queued for reading in self._demand.values()) and all(
            cell.state is CellState.ZERO for cell in seen.cells
        )

    def _plan_next(self, seen: Seen, decision: Decision) -> None:
        if self._at_rest(seen, decision):
            return
        due = min(self._look_due(), decision.look_again_at)
        if decision.grants or self._offered:
            due = min(due, seen.at + OFFER_SECONDS)
        self._tick_at(max(due, self._time.now + BETWEEN_TICKS_SECONDS))
        for name in decision.confirm - self._confirming:
            self._confirming.add(name)
            self._time.at(self._demand[name].at + CONFIRM_SECONDS, partial(self._confirm, name))


def _note(names: set[str], name: str, holds: bool) -> None:
    if holds:
        names.add(name)
    else:
        names.discard(name)
