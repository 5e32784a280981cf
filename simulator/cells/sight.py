"""PURE: what one scaler process sees of its cells, kept so that only what has changed is looked at again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cell_records.record import CellState
from scaler.core.model import CellSeen, DemandSeen, RepositoryReading, Seen
from scaler.observation import lease_seen, shrink_reserve
from simulator.cells.cloud import ModelCloud, PoolReading
from simulator.cells.desk import Desk
from simulator.cells.performer import Performer
from simulator.cells.store import ModelStore
from simulator.cells.times import Times


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan:
    """A cell of the simulated deployment."""

    name: str
    pool: str
    size: int


class Sight:
    """The cells as a decision sees them. `news`: cells to look at again; `closing`, `moving`, `offered`: of the last look."""

    def __init__(
        self,
        cells: Mapping[str, CellPlan],
        *,
        store: ModelStore,
        cloud: ModelCloud,
        desk: Desk,
        performer: Performer,
        now: Callable[[], float],
        times: Times,
        with_silence: bool,
    ) -> None:
        """`with_silence`: whether instances can fall silent in this world at all."""
        self._cells, self._store, self._cloud, self._desk = cells, store, cloud, desk
        self._performer = performer
        self._now = now
        self._times = times
        self._with_silence = with_silence
        self._seen: dict[str, CellSeen] = {}
        self.readings: dict[str, PoolReading] = {}
        self.job_of_runner: dict[int, int] = {}
        # Of leases whose job no reading has shown yet.
        self._cell_of_runner: dict[int, str] = {}
        self.news = set(cells)
        self.closing: set[str] = set()
        self.moving: set[str] = set()
        self.offered: set[str] = set()

    def take_running(self, running: Mapping[int, int]) -> None:
        """A reading shows which runner has which job."""
        self.job_of_runner.update(running)
        for runner in running.keys() & self._cell_of_runner.keys():
            self.news.add(self._cell_of_runner.pop(runner))

    def seen(self, demand: Mapping[str, RepositoryReading]) -> Seen:
        """Everything as it is now."""
        now = self._now()
        for name in list(self._performer.rests):
            self._performer.rest(name)
        for name in self.news:
            cell = self._seen[name] = self._cell_seen(self._cells[name])
            for lease in cell.leases:
                if lease.runner_id is not None and lease.job_id is None:
                    self._cell_of_runner[lease.runner_id] = name
            _note(self.offered, name, cell.offered > 0)
            moving = cell.state is CellState.CLOSING or cell.requested != cell.observed
            _note(self.moving, name, moving)
            lives_on = bool(cell.observed) or (cell.failed is not None and cell.parked > 0)
            to_zero = cell.state is CellState.CLOSING or (cell.state is CellState.ZERO and lives_on)
            _note(self.closing, name, to_zero)
        self.news.clear()
        cells = tuple(self._seen[name] for name in self._cells)
        budget = self._performer.budget
        return Seen(
            at=now,
            demand=DemandSeen(repositories=demand, complete=True),
            cells=cells,
            registrations_left=self._desk.registrations.left(now),
            writes_left=budget.left(now, reserve=shrink_reserve(cells, per_minute=budget.per_minute)),
            shrink_writes_left=budget.left(now),
            writes_per_minute=budget.per_minute,
        )

    def look(self) -> None:
        """Read the worker pools again."""
        for name in self._cells:
            known = self.readings.get(name)
            if known is None or not known.settled or known.etag != self._cloud.pools[name].etag:
                reading = self.readings[name] = self._cloud.read(name)
                if known != reading:
                    self.news.add(name)
            # On a fine day nobody falls silent.
            if self._with_silence and any(
                self._desk.silence(lease.id) > self._times.suspect for lease in self._store.cells[name].leases
            ):
                self.news.add(name)

    def _cell_seen(self, cell: CellPlan) -> CellSeen:
        record, reading = self._store.cells[cell.name], self.readings.get(cell.name)
        parked, offered = self._desk.present(cell.name)
        writing = cell.name in self._performer.in_flight
        rest = self._performer.rests.get(cell.name)
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
                    heard=self._desk.heard.get(lease.id),
                    silent=self._desk.silence(lease.id) > self._times.suspect,
                    jobs=self.job_of_runner,
                )
                for lease in record.leases
            ),
            parked=parked,
            offered=offered,
            ready_at=record.zeroed_at + self._times.settle,
            writable=not writing,
            fault=None if rest is None else rest.why,
            failed=None if reading is None or writing else reading.failure,
            obstacles=record.obstacles,
            served_at=record.served_at,
            refused_at=self._performer.refused_at.get(cell.name, 0.0),
        )


def _note(names: set[str], name: str, holds: bool) -> None:
    if holds:
        names.add(name)
    else:
        names.discard(name)
