"""Records whose worker pool is no longer there: their leases end by witness 4, and their registrations are cleared.

A list of worker pools may omit one that lives, so its absence there is only a reason to ask for it by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cell_records.errors import RecordError
from cell_records.record import CellRecord, Outcome, Refusal, Refused, timed_out, zeroed_by_others
from scaler.cell_directory import CellDirectory
from scaler.cloud_run.wire import WorkerPool
from scaler.errors import CloudRunError, NotFound
from scaler.records import AllRecords, Records
from scaler.registrar import Registrar
from scaler.removals import Changed, Place, Removals


class WorkerPoolByName(Protocol):
    """What this module needs of Cloud Run."""

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """That worker pool alone. Raises NotFound, CloudRunError."""


class DeletedPools:
    """Works beside the tick; what Cloud Run or GitHub do not answer now is asked again at the next look."""

    def __init__(
        self,
        *,
        records: Records,
        registrar: Registrar,
        removals: Removals,
        cloud: WorkerPoolByName,
        settle_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._records = records
        self._registrar = registrar
        self._removals = removals
        self._cloud = cloud
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._gone_since: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def look(self, records: AllRecords, directory: CellDirectory) -> None:
        """Begin to ask about every record that still holds something and whose worker pool was in no list."""
        missing = {
            name: record
            for name, record in records.cells.items()
            if name not in directory.cells and (record.leases or record.ghosts)
        }
        self._gone_since = {name: since for name, since in self._gone_since.items() if name in missing}
        for name, record in missing.items():
            if name not in self._asking:
                task = asyncio.ensure_future(self._carry_on(name, record))
                self._asking[name] = task
                task.add_done_callback(partial(self._asked, name))

    async def settle(self) -> None:
        """Wait until nothing is being asked."""
        while self._asking:
            await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _asked(self, name: str, _: asyncio.Task[None]) -> None:
        self._asking.pop(name, None)

    async def _carry_on(self, name: str, record: CellRecord) -> None:
        if not await self._is_gone(name):
            # It lives, and is no cell of this deployment any more, or the list was wrong.
            self._gone_since.pop(name, None)
            return
        since = self._gone_since.setdefault(name, self._clock())
        try:
            await self._end_leases(name, record, gone_since=since)
            await self._registrar.clear_ghosts(name, record)
        except RecordError:
            return

    async def _is_gone(self, name: str) -> bool:
        try:
            return (await self._cloud.get_worker_pool(name)).deleted
        except NotFound:
            return True
        except CloudRunError:
            return False

    async def _end_leases(self, name: str, record: CellRecord, *, gone_since: float) -> None:
        now = self._clock()
        # Its instances have had SIGTERM and ten seconds; what they may still have sent arrives within this time.
        settled = now > gone_since + self._settle_seconds

        def ended(standing: CellRecord) -> Outcome:
            # A record that has changed since may be that of a new worker pool of this name.
            if standing != record:
                return Refused(reason=Refusal.NOT_SETTLED)
            if settled:
                return zeroed_by_others(standing, count=0, settled=True, silent=True, now=now)
            return timed_out(standing, now=now)

        if not record.leases or (not settled and timed_out(record, now=now) == record):
            return
        outcome = await self._records.change(name, ended, uid=record.uid)
        if not isinstance(outcome, Refused):
            place = Place(pool=_pool_of(record, name), cell=name, count=0)
            changed = Changed(before=record, after=outcome)
            self._removals.tell(place, changed, witness="its worker pool was deleted")


def _pool_of(record: CellRecord, cell: str) -> str:
    """A runner's name begins with its pool's: nothing else remembers it once the worker pool is gone."""
    return record.leases[0].runner_name.partition(f"-{cell}")[0]
