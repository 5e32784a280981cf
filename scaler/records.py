"""The records for asyncio: each call of the blocking store runs in a thread, and changes of one record that are wanted at
once are written together.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cell_records.change import (
    CellChange,
    CellWish,
    Change,
    DeploymentChange,
    DeploymentTransition,
    Nonce,
    Owned,
    Settled,
    create_cell,
    read_cell,
    read_deployment,
    remove_cell,
)
from cell_records.codec import cell_record, deployment_record
from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordElsewhere, RecordUnreadable
from cell_records.patience import Again
from cell_records.record import CellRecord, Outcome
from cell_records.store import CELL_PREFIX, DEPLOYMENT_KEY, RecordStore
from scaler.gathering import Gathering

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllRecords:
    """Every record, each as it stood at some moment of one call. `unreadable`: what is wrong with a cell's record that
    stands but cannot be read.
    """

    cells: Mapping[str, CellRecord]
    unreadable: Mapping[str, str]
    deployment: DeploymentRecord


class Records:
    """One deployment's records."""

    def __init__(
        self,
        store: RecordStore,
        *,
        owner: str,
        nonce: Nonce,
        location: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`owner`: the deployment; `nonce`: draws a text that no other write has; `clock`: seconds that never jump.

        `location`: project and region (`projects/P/locations/R`) of the worker pools that this program sees; records of
        others are refused. Empty: of any.
        """
        self.location = location
        self._store = store
        self._owner = owner
        self._nonce = nonce
        self._decoded: dict[str, tuple[str, CellRecord]] = {}
        at_once = store.limits.calls_at_once
        self._threads = None if at_once is None else ThreadPoolExecutor(at_once, thread_name_prefix="records")
        apart = store.limits.writes_apart_seconds
        self._cells = Gathering[CellWish, Outcome](
            self._cell_change,
            attempt=self._attempt,
            apart_seconds=apart,
            clock=clock,
            sleep=sleep,
            chance=chance,
        )
        self._deployment = Gathering[DeploymentTransition, DeploymentRecord | None](
            self._deployment_change,
            attempt=self._attempt,
            apart_seconds=apart,
            clock=clock,
            sleep=sleep,
            chance=chance,
        )

    async def all(self) -> AllRecords:
        """Every record. Raises StoreUnavailable, and RecordUnreadable for the deployment's own."""
        return await self._called(self._read_all)

    async def cell(self, cell: str) -> CellRecord | None:
        """One cell's record. Raises RecordUnreadable, StoreUnavailable."""
        return await self._called(partial(read_cell, self._store, cell, decode=self._decode))

    async def deployment(self) -> DeploymentRecord:
        """The deployment's record. Raises RecordUnreadable, StoreUnavailable."""
        return await self._called(partial(read_deployment, self._store, owner=self._owner))

    async def create(self, cell: str, record: CellRecord) -> CellRecord:
        """Store a cell's first record; another's, if it was quicker, stands."""
        created = await self._called(partial(create_cell, self._store, cell, record, nonce=self._nonce))
        self._cells.wrote(cell)
        return created

    async def change(self, cell: str, transition: Callable[[CellRecord], Outcome], *, uid: str) -> Outcome:
        """Change one cell's record by compare-and-set; see `cell_records.change`."""
        owned = Owned(owner=self._owner, uid=uid)
        return await self._cells.made(cell, CellWish(transition=transition, owned=owned))

    async def remove(self, cell: str, *, uid: str, when: Callable[[CellRecord], bool]) -> bool:
        """Remove a cell's record while `when` holds of it; see `cell_records.change`."""
        owned = Owned(owner=self._owner, uid=uid)
        return await self._called(
            partial(remove_cell, self._store, cell, owned=owned, when=when, decode=self._decode)
        )

    async def change_deployment(self, transition: DeploymentTransition) -> DeploymentRecord | None:
        """Change the deployment's record by compare-and-set; None if the transition declined."""
        return await self._deployment.made(DEPLOYMENT_KEY, transition)

    def _cell_change(self, cell: str, wishes: list[CellWish]) -> Change[Outcome]:
        return CellChange(self._store, cell, wishes, nonce=self._nonce(), decode=self._decode)

    def _deployment_change(
        self, _: str, wishes: list[DeploymentTransition]
    ) -> Change[DeploymentRecord | None]:
        return DeploymentChange(self._store, wishes, owner=self._owner, nonce=self._nonce())

    async def _attempt(self, change: Change[T]) -> Settled[T] | Again:
        return await self._called(change.attempt)

    async def _called(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _read_all(self) -> AllRecords:
        cells: dict[str, CellRecord] = {}
        unreadable: dict[str, str] = {}
        deployment = DeploymentRecord(owner=self._owner)
        for key, stored in self._store.read_all().items():
            if key == DEPLOYMENT_KEY:
                deployment = deployment_record(stored.text, key=key)
            elif key.startswith(CELL_PREFIX):
                cell = key.removeprefix(CELL_PREFIX)
                try:
                    cells[cell] = self._decode(stored.text, key=key)
                except RecordUnreadable as error:
                    unreadable[cell] = str(error)
        return AllRecords(cells=cells, unreadable=unreadable, deployment=deployment)

    def _decode(self, text: str, *, key: str) -> CellRecord:
        """The record in a text that was just read; decoded only when it is not the very text that stood there last.

        Every read goes to the store, since other processes write there too; a text and its record never change.
        """
        known = self._decoded.get(key)
        if known is not None and known[0] == text:
            return known[1]
        record = cell_record(text, key=key)
        if self.location and record.location not in ("", self.location):
            raise RecordElsewhere(key=key, location=record.location, here=self.location)
        self._decoded[key] = (text, record)
        return record
