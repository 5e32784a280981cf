"""Keeps records true: first records, leases whose end a witness has shown, jobs that became known, ghosts at GitHub.

A lease leaves a record only by a witness of the protocol; a missing heartbeat, a list or `busy` is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from cell_records.record import (
    CellRecord,
    CellState,
    Ghost,
    Lease,
    Outcome,
    Refusal,
    Refused,
    first_record,
    job_completed,
    job_known,
    timed_out,
    zeroed_by_others,
)
from github_api.errors import GitHubError
from scaler.cell_directory import Cell, CellDirectory
from scaler.cloud_run.wire import WorkerPool
from scaler.conclusions import Conclusions
from scaler.core.model import Seen
from scaler.deleted_pools import DeletedPools, WorkerPoolByName
from scaler.errors import CloudRunError
from scaler.instances import Instances
from scaler.observation import jobs_by_runner
from scaler.records import AllRecords, Records
from scaler.registrar import Registrar
from scaler.removals import Changed, Place, Removals, Told
from scaler.runner_versions import RunnerVersions

# A registration that could not be cleared is asked for again after this.
GHOSTS_EVERY_SECONDS = 5.0


class CellKeeper:
    """Housekeeping of all cells, once per tick; every process may do it."""

    def __init__(
        self,
        *,
        owner: str,
        records: Records,
        instances: Instances,
        registrar: Registrar,
        told: Told,
        settle_seconds: float,
        suspect_seconds: float,
        clock: Callable[[], float],
        direct: bool = False,
        versions: RunnerVersions | None = None,
        conclusions: Conclusions | None = None,
        cloud: WorkerPoolByName,
    ) -> None:
        """`suspect_seconds`: after how much silence GitHub is asked about a lease's job. `direct`: instances say nothing."""
        self._cloud = cloud
        self._versions = versions
        self._conclusions = conclusions
        self._owner = owner
        self._records = records
        self._instances = instances
        self._registrar = registrar
        self._removals = Removals(told, registrar=registrar, instances=instances, direct=direct)
        self._deleted = DeletedPools(
            records=records,
            registrar=registrar,
            removals=self._removals,
            cloud=cloud,
            settle_seconds=settle_seconds,
            clock=clock,
        )
        self._settle_seconds = settle_seconds
        self._suspect_seconds = suspect_seconds
        self._clock = clock
        self._direct = direct
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._begun_at = clock()
        self._ghosts_at: dict[str, float] = {}
        self._asked_at: dict[str, float] = {}
        self._zero_since: dict[str, tuple[int, float]] = {}
        self.faults: dict[str, str] = {}

    async def keep(self, records: AllRecords, directory: CellDirectory, seen: Seen, *, fresh: bool) -> None:
        """Bring every record up to date. `fresh`: Cloud Run was read after `records`."""
        jobs = {job: name for name, each in seen.demand.repositories.items() for job in each.running.values()}
        runners = jobs_by_runner(seen.demand)
        for name, cell in directory.cells.items():
            if name in records.unreadable:
                continue
            # In a cell at fault nothing begins, and its count says nothing; but what stands there ends as elsewhere.
            counts = fresh and cell.fault is None
            record = records.cells.get(name)
            if record is None or record.uid != cell.worker_pool.uid:
                if counts:
                    await self._begin_record(cell, record)
                continue
            await self._expire(cell, record)
            if counts:
                await self._zeroed(cell, record)
            for lease in record.leases:
                await self._note_job(cell, lease, runners=runners, jobs=jobs)
            self._ask_github(cell, record)
        if fresh:
            self._deleted.look(records, directory)
        self._forget_ended(records)
        if self._versions is not None:
            self._versions.look(seen)
        if self._conclusions is not None:
            self._conclusions.look()

    async def settle(self) -> None:
        """Wait until nothing is being asked of GitHub."""
        while self._asking:
            await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await self._deleted.settle()
        await self._removals.settle()
        for each in (self._versions, self._conclusions):
            if each is not None:
                await each.settle()

    def _ask_github(self, cell: Cell, record: CellRecord) -> None:
        """Ask about suspect leases and clear ghosts, beside the tick: a slow GitHub must not hold up anything else."""
        if cell.name not in self._asking and (record.leases or record.ghosts):
            task = asyncio.ensure_future(self._asked(cell, record))
            self._asking[cell.name] = task
            task.add_done_callback(lambda done: self._answered(cell.name, done))

    def _answered(self, cell: str, task: asyncio.Task[None]) -> None:
        self._asking.pop(cell, None)
        if not task.cancelled() and task.exception() is not None:
            self.faults[cell] = f"{type(task.exception()).__name__}: {task.exception()}"

    async def _asked(self, cell: Cell, record: CellRecord) -> None:
        for lease in record.leases:
            if lease.runner_id is not None and lease.job_id is not None and lease.repository is not None:
                await self._ask_about(cell, lease, job=lease.job_id, repository=lease.repository)
        await self._clear_ghosts(cell, record)

    def _forget_ended(self, records: AllRecords) -> None:
        standing = {lease.id for record in records.cells.values() for lease in record.leases}
        self._instances.keep_only(standing, silent_seconds=self._suspect_seconds)
        self._asked_at = {lease: at for lease, at in self._asked_at.items() if lease in standing}

    async def _begin_record(self, cell: Cell, old: CellRecord | None) -> None:
        """Give a cell its first record, or a new one where the old belongs to a deleted worker pool (witness 4)."""
        if isinstance(self._first_record(cell.worker_pool), Refused):
            return
        try:
            # Lists have been known to lag, and the old record may have leases.
            pool = await self._cloud.get_worker_pool(cell.name)
        except CloudRunError:
            return
        first = self._first_record(pool)
        if isinstance(first, Refused) or pool.uid != cell.worker_pool.uid:
            return
        if old is None:
            await self._records.create(cell.name, first)
            return
        ghosts = [
            Ghost(runner_name=lease.runner_name, runner_id=lease.runner_id, since=self._clock())
            for lease in old.leases
        ]
        fresh = replace(first, ghosts=(*old.ghosts, *ghosts))
        changed = await self._changed(cell, lambda _: fresh, uid=old.uid)
        self._removals.tell(Place.of(cell), changed, witness="its worker pool was deleted")

    def _first_record(self, pool: WorkerPool) -> Outcome:
        return first_record(
            owner=self._owner,
            uid=pool.uid,
            count=1 if pool.count is None else pool.count,
            settled=pool.settled and not pool.deleted,
            # The generation grows with every change of what is wanted, the count included.
            # https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools
            untouched=pool.generation == 1,
            now=self._clock(),
            location=self._records.location,
        )

    async def _expire(self, cell: Cell, record: CellRecord) -> None:
        """Witness 3, and leases of instances that were stopped by the platform."""
        now = self._clock()
        if timed_out(record, now=now) == record:
            return
        late = [lease for lease in record.leases if now > lease.hard_end and lease.dying_until is None]
        if not self._direct and any(
            self._instances.silence(lease.id) <= self._suspect_seconds for lease in late
        ):
            # Agents end their leases themselves by then. One that still speaks shows that this machine's clock is wrong.
            self.faults[cell.name] = (
                "a lease is past its hard end and still heard of: is this machine's clock ahead?"
            )
            return
        changed = await self._changed(cell, partial(timed_out, now=now))
        self._removals.tell(
            Place.of(cell),
            changed,
            witness="its hard end has passed, and its instance has said nothing to the end",
        )

    async def _zeroed(self, cell: Cell, record: CellRecord) -> None:
        """Witness 4: another hand has set an open cell to zero, it has stayed so, and nobody in it was heard since."""
        pool = cell.worker_pool
        if record.state is not CellState.OPEN or not record.leases or pool.count != 0 or not pool.settled:
            self._zero_since.pop(cell.name, None)
            return
        generation, since = self._zero_since.setdefault(cell.name, (pool.generation, cell.read_at))
        if generation != pool.generation:
            self._zero_since[cell.name] = (pool.generation, cell.read_at)
            return
        # "Settled" is sometimes said too early; what was not written over for this long has come true.
        quiet_seconds = min(cell.read_at - since, self._instances.silent_for(cell.name, since=self._begun_at))

        def zeroed(standing: CellRecord) -> Outcome:
            # Leases that were given after this reading are none of its business.
            if standing != record:
                return Refused(reason=Refusal.NOT_SETTLED)
            silent = quiet_seconds > self._settle_seconds
            return zeroed_by_others(standing, count=0, settled=True, silent=silent, now=self._clock())

        changed = await self._changed(cell, zeroed)
        self._removals.tell(Place.of(cell), changed, witness="another hand has set its worker pool to zero")

    async def _note_job(
        self, cell: Cell, lease: Lease, *, runners: dict[int, int], jobs: dict[int, str]
    ) -> None:
        """Note a lease's job once a reading shows it, so that it can be asked about."""
        if lease.runner_id is None or lease.job_id is not None:
            return
        job = runners.get(lease.runner_id)
        if job is not None:
            noted = partial(
                job_known, lease_id=lease.id, runner_id=lease.runner_id, job_id=job, repository=jobs[job]
            )
            await self._changed(cell, noted)

    async def _ask_about(self, cell: Cell, lease: Lease, *, job: int, repository: str) -> None:
        """Witness 2, for a lease whose instance is silent."""
        now = self._clock()
        # Nobody speaks in direct mode: there every lease is asked about once it is that old.
        silence = now - lease.started_at if self._direct else self._instances.silence(lease.id)
        again_at = self._asked_at.get(lease.id, 0.0) + self._suspect_seconds
        if silence < self._suspect_seconds or now < again_at:
            return
        self._asked_at[lease.id] = now
        try:
            completed = await self._registrar.completed_by(repository, job, runner_name=lease.runner_name)
        except GitHubError as error:
            self.faults[cell.name] = str(error)
            return
        if completed is None:
            return
        lost = self._removals.was_lost(lease, conclusion=completed.conclusion)
        changed = await self._changed(
            cell,
            lambda it: job_completed(
                it,
                lease_id=lease.id,
                job_id=job,
                runner_id=completed.runner_id,
                now=self._clock(),
                lost=lost,
            ),
        )
        if changed is None or lease.id not in changed.removed:
            return
        self._removals.tell_completed(
            Place.of(cell), lease, conclusion=completed.conclusion, silent_seconds=silence
        )

    async def _clear_ghosts(self, cell: Cell, record: CellRecord) -> None:
        now = self._clock()
        if not record.ghosts or now < self._ghosts_at.get(cell.name, 0.0) + GHOSTS_EVERY_SECONDS:
            return
        self._ghosts_at[cell.name] = now
        faults = await self._registrar.clear_ghosts(cell.name, record)
        if faults:
            self.faults[cell.name] = faults[0]
        else:
            self.faults.pop(cell.name, None)

    async def _changed(
        self, cell: Cell, transition: Callable[[CellRecord], Outcome], *, uid: str | None = None
    ) -> Changed | None:
        """The change as it was made, from whatever stood there by then: another process may have been quicker."""
        stood: list[CellRecord] = []

        def seen(record: CellRecord) -> Outcome:
            stood.append(record)
            return transition(record)

        outcome = await self._records.change(cell.name, seen, uid=uid or cell.worker_pool.uid)
        return None if isinstance(outcome, Refused) else Changed(before=stood[-1], after=outcome)
