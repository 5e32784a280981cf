"""PURE: one scaler process in virtual time: it observes, lets the real core decide, and acts, until it is killed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol

from cell_records.deployment import DeploymentRecord, asked_for, led_by
from cell_records.record import CellState
from scaler.budget import MinuteBudget
from scaler.core.adopting import adopted
from scaler.core.cell_steps import carrying, closing, is_due, lowers, raising
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.model import Decision, Memory, Policy, RepositoryReading, Seen
from scaler.instances import OFFER_SECONDS
from simulator.cells.cloud import ModelCloud
from simulator.cells.desk import Desk
from simulator.cells.github import ModelGitHub, Repository
from simulator.cells.keeping import keep_records
from simulator.cells.performer import Kind, Performer, kind_of
from simulator.cells.sight import CellPlan, Sight
from simulator.cells.store import ModelStore
from simulator.cells.times import Times
from simulator.cells.weather import Weather
from simulator.virtual_time import VirtualTime


class Watcher(Protocol):
    """Who sees what a process does."""

    def crashed(self, process: ScalerProcess, step: str) -> None:
        """It is killed at a step."""

    def decided(self, broken: list[str]) -> None:
        """It has decided; what of that breaks an invariant."""

    def write_sent(self, process: ScalerProcess, cell: str) -> None:
        """It begins to send a count."""

    def write_over(self, process: ScalerProcess, cell: str) -> None:
        """It knows how its write ended, or has given it up."""


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
        weather: Weather,
        times: Times,
        write: float,
        writes_per_minute: int,
        registrations_per_minute: int,
        watcher: Watcher,
    ) -> None:
        """Where there are faults, every decision is held against `scaler.core.invariants`."""
        self.name = name
        self.alive = True
        self._policy = policy
        self._cells = {cell.name: cell for cell in sorted(cells, key=lambda each: each.name)}
        self._time, self._chance = time, chance
        self._store, self._cloud, self._github = store, cloud, github
        self._weather, self._watcher, self._checked = weather, watcher, weather.foul
        self._times = times
        self._begun_at = time.now
        self._memory = Memory()
        self._decision = Decision()
        self._demand: dict[str, RepositoryReading] = {}
        self._due = float("inf")
        self._ticked_at = float("-inf")
        self._looked_at = float("-inf")
        self._confirming: set[str] = set()
        self._short = False
        self.desk = Desk(
            time=time,
            times=times,
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
            weather=weather,
            write=write,
            sent=partial(watcher.write_sent, self),
            over=partial(watcher.write_over, self),
        )
        self.sight = Sight(
            self._cells,
            store=store,
            cloud=cloud,
            desk=self.desk,
            performer=self.performer,
            now=lambda: time.now,
            times=times,
            with_silence=weather.foul,
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
        faults = self._weather.faults
        if self._weather.strikes("crash in a step", faults.crash_in_step):
            self._watcher.crashed(self, step)
        elif self._weather.strikes("pause in a step", faults.pauses):
            self._time.after(self._chance.uniform(0.0, faults.standstill), partial(self._resume, go_on))
        else:
            go_on()

    def _resume(self, go_on: Callable[[], None]) -> None:
        if self.alive:
            go_on()

    # What desk and performer ask and tell.

    def nudge(self) -> None:
        """Tick soon."""
        between = self._times.between_ticks if self._leads else self._times.between_ticks_of_others
        self._tick_at(self._ticked_at + between)

    def heard_in(self, cell: str) -> None:
        """A decision sees something new of a cell."""
        self.sight.news.add(cell)

    def room(self, cell: str) -> int:
        """How many leases a cell may hold."""
        reading = self.sight.readings.get(cell)
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
        self.sight.take_running(reading.running)
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
            self._time.after(self._times.sweep, self._sweep)

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
            lambda it: led_by(it, who=self.name, now=self._time.now, ttl_seconds=self._times.leader_ttl)
        )
        if not led and self._leads:
            self.nudge()
        self._time.after(self._times.leader_renewal, self._renew)

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
            self._looked_at = self._time.now
            self.sight.look()
        self.desk.forget_silent()
        seen = self.sight.seen(self._demand)
        self._carry(fresh=look)
        decision, self._memory = decide(self._policy, seen, self._memory)
        broken = violations(self._policy, seen, decision) if self._checked else []
        self._watcher.decided(broken)
        self._decision = decision
        self._short = bool(decision.limits) or any(picture.uncovered for picture in decision.pools)
        if self._leads and not broken:
            self._act(seen, decision, fresh=look)
        if look:
            keep_records(
                self._store,
                self.desk,
                self._github,
                self.sight.job_of_runner,
                suspect=self._times.suspect,
                now=self._time.now,
            )
        self._plan_next(seen, decision)

    def _carry(self, *, fresh: bool) -> None:
        """Any process carries a closed cell on."""
        for name in sorted(self.sight.closing):
            record, reading = self._store.cells[name], self.sight.readings.get(name)
            if reading is None or record.state is CellState.OPEN or name in self.performer.in_flight:
                continue
            if not is_due(record, reading, fresh=fresh):
                continue
            inhabited = self.desk.present(name)[0] > 0
            steps = carrying(record, reading, inhabited=inhabited, now=lambda: self._time.now)
            if steps is None:
                continue
            spent = self.performer.budget.left(self._time.now) <= 0
            if lowers(record, reading) and (spent or self.performer.rest(name) is not None):
                continue
            self.performer.begin(name, steps, kind_of(record, reading))

    def _act(self, seen: Seen, decision: Decision, *, fresh: bool) -> None:
        written = self.performer.last_write_at
        counts = adopted(seen, last_write_at=written, begun_at=self._begun_at) if fresh else {}
        counts |= {rise.cell: rise.to for rise in decision.raises}
        if counts:
            self.sight.news.update(counts)
            self._store.change_deployment(lambda it: self._asked(it, counts))
        for rise in decision.raises:
            steps = raising(
                rise.to,
                size=self._cells[rise.cell].size,
                now=lambda: self._time.now,
                settle_seconds=self._times.settle,
            )
            self.performer.begin(rise.cell, steps, Kind.RAISING)
        for grant in decision.grants:
            self.desk.offer(grant.cell, grant.leases)
        for close in decision.closes:
            steps = closing(uid=close.cell, now=lambda: self._time.now)
            self.performer.begin(close.cell, steps, Kind.CLOSING)

    def _asked(self, record: DeploymentRecord, counts: dict[str, int]) -> DeploymentRecord | None:
        return asked_for(record, who=self.name, counts=counts)

    def _look_due(self) -> float:
        return self._looked_at + (self._times.cells if self._moving else self._times.cells_idle)

    @property
    def _moving(self) -> bool:
        decision = self._decision
        if decision.raises or decision.closes or decision.confirm or self.performer.in_flight:
            return True
        return bool(self.sight.moving) or any(picture.booting for picture in decision.pools)

    def _at_rest(self, seen: Seen, decision: Decision) -> bool:
        """Whether only a signal could change anything; the real loop would look all the same, to the same end."""
        if self.sight.moving or self._checked or decision.raises or decision.limits:
            return False
        return not any(reading.queued for reading in self._demand.values()) and all(
            cell.state is CellState.ZERO for cell in seen.cells
        )

    def _plan_next(self, seen: Seen, decision: Decision) -> None:
        if self._at_rest(seen, decision):
            return
        due = min(self._look_due(), decision.look_again_at)
        if decision.grants or self.sight.offered:
            due = min(due, seen.at + OFFER_SECONDS)
        self._tick_at(max(due, self._time.now + self._times.between_ticks))
        for name in decision.confirm - self._confirming:
            self._confirming.add(name)
            self._time.at(self._demand[name].at + self._times.confirm, partial(self._confirm, name))
