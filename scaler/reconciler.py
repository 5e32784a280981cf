"""One tick: observe, decide, act. Any process carries closed cells on; only the leader decides and raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from cell_records.deployment import DeploymentRecord, asked_for
from cell_records.record import CellRecord, Lease
from scaler.budget import MinuteBudget
from scaler.cell_directory import Cell, CellDirectory
from scaler.cell_keeper import CellKeeper
from scaler.cell_writer import CellWriter
from scaler.cloud_run.wire import WorkerPool
from scaler.core.adopting import adopted
from scaler.core.cell_steps import is_due
from scaler.core.decide import decide
from scaler.core.invariants import violations
from scaler.core.model import Decision, DemandSeen, Memory, Policy, Seen
from scaler.errors import CloudRunError, PromiseBroken
from scaler.instances import Instances
from scaler.leadership import Leadership
from scaler.observation import CellFacts, Present, cell_seen, jobs_by_runner, shrink_reserve
from scaler.records import AllRecords, Records
from scaler.registrar import Registrar

# A reading of Cloud Run older than this says nothing about counts any more.
READING_BELIEVED_SECONDS = 60.0


class WorkerPools(Protocol):
    """What this module needs of Cloud Run."""

    async def list_worker_pools(self) -> list[WorkerPool]:
        """All worker pools of the region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """What one tick has seen, decided and begun; the one value that logs, /status and plan are made of."""

    at: float
    leads: bool
    seen: Seen
    decision: Decision
    faults: Mapping[str, str] = field(default_factory=dict)


class Reconciler:
    """Ticks. Between two ticks it remembers only what may be forgotten."""

    def __init__(
        self,
        *,
        policy: Policy,
        records: Records,
        cloud: WorkerPools,
        directory: CellDirectory,
        writer: CellWriter,
        keeper: CellKeeper,
        demand: Callable[[], DemandSeen],
        instances: Instances,
        registrar: Registrar,
        leadership: Leadership,
        writes: MinuteBudget,
        clock: Callable[[], float],
        memory: Memory | None = None,
    ) -> None:
        """`demand`: the last readings of GitHub; `writes`: what is left of Cloud Run's write quota."""
        self._policy = policy
        self._records = records
        self._cloud = cloud
        self._directory = directory
        self._writer = writer
        self._keeper = keeper
        self._demand = demand
        self._instances = instances
        self._registrar = registrar
        self._leadership = leadership
        self._writes = writes
        self._clock = clock
        self._begun_at = clock()
        self.memory = memory or Memory()
        self.requested: Mapping[str, int] = {}
        self.cloud_fault: CloudRunError | None = None

    async def observe(self, *, look: bool) -> tuple[Seen, AllRecords, dict[str, str], bool]:
        """Everything as it is now; `look`: read Cloud Run again. Changes nothing.

        Gives what was seen, the records, what is wrong by cell, and whether Cloud Run was read after the records.
        """
        present = self._instances.present()
        records = await self._records.all()
        faults: dict[str, str] = {}
        fresh = False
        if look:
            read_at = self._clock()
            try:
                self._directory.take(await self._cloud.list_worker_pools(), read_at=read_at)
                fresh, self.cloud_fault = True, None
            except CloudRunError as error:
                faults["cloud_run"], self.cloud_fault = str(error), error
        self.requested = records.deployment.requested
        # Also of cells that Cloud Run does not show here: nobody else would tell of them.
        faults |= records.unreadable
        now = self._clock()
        demand = self._demand()
        jobs = jobs_by_runner(demand)
        cells = []
        for cell in self._directory.cells.values():
            facts = self._facts(cell, records, present.get(cell.name, {}))
            told = facts.fault or cell.slow(now=now)
            if told is not None:
                faults[cell.name] = told
            cells.append(
                cell_seen(
                    facts,
                    heard=self._instances.heard,
                    silent=self._silence(cell.pool, now),
                    jobs=jobs,
                    settle_seconds=self._policy.settle_seconds,
                    believed=now < cell.read_at + READING_BELIEVED_SECONDS,
                )
            )
        seen = Seen(
            at=now,
            demand=demand,
            cells=tuple(sorted(cells, key=lambda cell: cell.name)),
            registrations_left=self._registrar.left(),
            writes_left=self._writes.left(
                now, reserve=shrink_reserve(cells, per_minute=self._writes.per_minute)
            ),
            shrink_writes_left=self._writes.left(now),
            writes_per_minute=self._writes.per_minute,
        )
        return seen, records, faults, fresh

    def decided(self, seen: Seen, *, checked: bool = True) -> Decision:
        """What is to be done about what was seen. Raises PromiseBroken if that would break an invariant."""
        decision, self.memory = decide(self._policy, seen, self.memory)
        broken = violations(self._policy, seen, decision) if checked else []
        if broken:
            raise PromiseBroken(
                f"A decision was dropped because it breaks what must always hold: {'; '.join(broken)}.",
                remedy="This is a fault of the scaler: report it with the output of `runner-pool plan --json`.",
            )
        return decision

    async def tick(self, *, look: bool) -> TickRecord:
        """Observe, decide, begin to act. Raises PromiseBroken and what the records raise; nothing was begun then."""
        seen, records, faults, fresh = await self.observe(look=look)
        inhabited = {cell.name for cell in seen.cells if cell.parked}
        for name, cell in self._directory.cells.items():
            record = records.cells.get(name)
            if record is None or record.uid != cell.worker_pool.uid:
                continue
            if is_due(record, cell.worker_pool, fresh=fresh):
                self._writer.carry(cell, record, inhabited=name in inhabited)
        leads = self._leadership.held
        try:
            decision = self.decided(seen)
        except PromiseBroken:
            await self._keeper.keep(records, self._directory, seen, fresh=fresh)
            raise
        if leads:
            leads = await self._act(seen, decision, fresh=fresh)
        # Last, because instances wait for their offers, and each record that has to be written takes its time.
        await self._keeper.keep(records, self._directory, seen, fresh=fresh)
        return TickRecord(at=seen.at, leads=leads, seen=seen, decision=decision, faults=faults)

    async def _act(self, seen: Seen, decision: Decision, *, fresh: bool) -> bool:
        """Begin what was decided; False when somebody else turned out to lead."""
        counts = self._adopted(seen) if fresh else {}
        counts |= {rise.cell: rise.to for rise in decision.raises}
        if not await self._note(counts, decision.allowed):
            return False
        for rise in decision.raises:
            self._writer.raise_cell(self._directory.cells[rise.cell], rise.to)
        for grant in decision.grants:
            self._instances.offer(grant.cell, grant.leases)
        for close in decision.closes:
            self._writer.close_cell(self._directory.cells[close.cell])
        return True

    def _adopted(self, seen: Seen) -> dict[str, int]:
        return adopted(seen, last_write_at=self._writer.last_write_at, begun_at=self._begun_at)

    async def _note(self, counts: Mapping[str, int], allowed: Mapping[str, int]) -> bool:
        """Store what is going to be asked for, before it is, so that two leaders together stay within max."""

        observed = self.requested

        def transition(record: DeploymentRecord) -> DeploymentRecord | None:
            if record.requested != observed:
                # Somebody else has led since this was decided, and has spent the same room.
                return None
            noted = asked_for(record, who=self._leadership.who, counts=counts)
            return (
                noted if noted is None or not self._policy.direct else replace(noted, allowed=dict(allowed))
            )

        if not counts and not self._policy.direct:
            return True
        noted = await self._records.change_deployment(transition)
        if noted is not None:
            self.requested = noted.requested
        return noted is not None

    def _silence(self, pool: str, now: float) -> Callable[[Lease], bool]:
        """Which leases no job is expected of any more: in direct mode those that have outlived any wait for one."""
        if not self._policy.direct:
            return lambda lease: self._instances.silence(lease.id) > self._policy.suspect_seconds
        waits = next((each.idle_lease_seconds for each in self._policy.pools if each.name == pool), 0.0)
        return lambda lease: (
            lease.job_id is None and now > lease.started_at + waits + self._policy.suspect_seconds
        )

    def _facts(self, cell: Cell, records: AllRecords, present: Mapping[str, bool]) -> CellFacts:
        record = records.cells.get(cell.name)
        # A boot whose lease stands by now, maybe by another process, must not count a second time.
        leased = set() if record is None else {lease.boot for lease in record.leases}
        offers = [offered for boot, offered in present.items() if boot not in leased]
        rest = self._writer.rest(cell.name)
        fault = cell.fault or records.unreadable.get(cell.name) or _record_fault(cell, record)
        ours = record is not None and record.uid == cell.worker_pool.uid
        return CellFacts(
            cell=cell,
            record=record if ours else None,
            broken=fault is not None,
            present=Present(parked=len(offers), offered=sum(offers)),
            requested=records.deployment.requested.get(cell.name, 0),
            writing=self._writer.busy(cell.name),
            fault=fault or (None if rest is None else rest.why),
            refused_at=self._writer.refused_at.get(cell.name, cell.worker_pool.refused_at or 0.0),
        )


def _record_fault(cell: Cell, record: CellRecord | None) -> str | None:
    if record is None:
        if cell.worker_pool.count == 0:
            failure = cell.worker_pool.failure
            why = "" if failure is None else f"; Cloud Run could not carry its last change out: {failure}"
            return f"it has no record yet; it gets one at its settled zero{why}"
        return (
            f"it has {cell.worker_pool.count} instances and no record, which may have been lost: nothing is started or "
            "lowered; once no job runs in it, set its count to 0 by hand"
        )
    if record.uid != cell.worker_pool.uid:
        return "its record belongs to a worker pool that was deleted; it gets a new one at its settled zero"
    return None
