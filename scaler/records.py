"""The records for asyncio: each call of the blocking store runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cell_records.change import (
    Nonce,
    Owned,
    change_cell,
    change_deployment,
    create_cell,
    read_cell,
    read_deployment,
    remove_cell,
)
from cell_records.codec import cell_record, deployment_record
from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordUnreadable
from cell_records.record import CellRecord, Outcome
from cell_records.store import CELL_PREFIX, DEPLOYMENT_KEY, RecordStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AllRecords:
    """Every record at one moment. `unreadable`: what is wrong with a cell's record that stands but cannot be
    read.
    """

    cells: Mapping[str, CellRecord]
    unreadable: Mapping[str, str]
    deployment: DeploymentRecord


class Records:
    """One deployment's records."""

    def __init__(self, store: RecordStore, *, owner: str, nonce: Nonce) -> None:
        """`owner`: the deployment; `nonce`: draws a text that no other write has."""
        self._store = store
        self._owner = owner
        self._nonce = nonce
        self._decoded: dict[str, tuple[str, CellRecord]] = {}

    async def all(self) -> AllRecords:
        """Every record. Raises StoreUnavailable, and RecordUnreadable for the deployment's own."""
        return await asyncio.to_thread(self._read_all)

    async def cell(self, cell: str) -> CellRecord | None:
        """One cell's record. Raises RecordUnreadable, StoreUnavailable."""
        return await asyncio.to_thread(read_cell, self._store, cell, decode=self._decode)

    async def deployment(self) -> DeploymentRecord:
        """The deployment's record. Raises RecordUnreadable, StoreUnavailable."""
        return await asyncio.to_thread(read_deployment, self._store, owner=self._owner)

    async def create(self, cell: str, record: CellRecord) -> CellRecord:
        """Store a cell's first record; another's, if it was quicker, stands."""
        return await asyncio.to_thread(create_cell, self._store, cell, record, nonce=self._nonce)

    async def change(self, cell: str, transition: Callable[[CellRecord], Outcome], *, uid: str) -> Outcome:
        """Change one cell's record by compare-and-set; see `cell_records.change`."""
        owned = Owned(owner=self._owner, uid=uid)
        return await asyncio.to_thread(
            change_cell,
            self._store,
            cell,
            transition,
            owned=owned,
            nonce=self._nonce,
            decode=self._decode,
        )

    async def remove(self, cell: str, *, uid: str, when: Callable[[CellRecord], bool]) -> bool:
        """Remove a cell's record while `when` holds of it; see `cell_records.change`."""
        owned = Owned(owner=self._owner, uid=uid)
        return await asyncio.to_thread(
            remove_cell, self._store, cell, owned=owned, when=when, decode=self._decode
        )

    async def change_deployment(
        self, transition: Callable[[DeploymentRecord], DeploymentRecord | None]
    ) -> DeploymentRecord | None:
        """Change the deployment's record by compare-and-set; None if the transition declined."""
        return await asyncio.to_thread(
            change_deployment, self._store, transition, owner=self._owner, nonce=self._nonce
        )

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
        self._decoded[key] = (text, record)
        return record
