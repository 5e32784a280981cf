"""The record store of a simulated deployment, and records without threads on top of it.

Each call takes time before and after its single moment of truth, so a process can freeze or die on either side of a
compare-and-set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from cell_records.change import (
    Nonce,
    Owned,
    change_cell,
    change_deployment,
    create_cell,
    read_cell,
    read_deployment,
)
from cell_records.deployment import DeploymentRecord
from cell_records.errors import StoreUnavailable
from cell_records.record import CellRecord, Outcome
from cell_records.store import Stored
from scaler.records import AllRecords, Records
from tests.simulation.forgetful_store import ForgetfulStore, Spoil
from tests.simulation.gates import Gates
from tests.simulation.weather import Weather

T = TypeVar("T")


class ModelStore(ForgetfulStore):
    """One store for all processes, spoilt by the weather. `on_write` sees each key and text that was set."""

    def __init__(
        self, *, chance: Random, weather: Callable[[], Weather], on_write: Callable[[str, str], None]
    ) -> None:
        super().__init__()
        self._chance = chance
        self._weather = weather
        self._on_write = on_write

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore."""
        self._stumble()
        return super().read_all()

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        weather, drawn = self._weather(), self._chance.random()
        if drawn < weather.store_reply_lost:
            self.spoils.append(Spoil.LOSE_REPLY)
        elif drawn < weather.store_reply_lost + weather.store_request_lost:
            self.spoils.append(Spoil.LOSE_REQUEST)
        try:
            return super().compare_and_set(key, text, expected=expected)
        finally:
            stored = self.texts.get(key)
            if stored is not None and stored.text == text:
                self._on_write(key, text)

    def _stumble(self) -> None:
        if self._chance.random() < self._weather().store_request_lost:
            raise StoreUnavailable("the read was lost")


class ModelRecords(Records):
    """The records of one process, each call with a pause before and after."""

    def __init__(
        self,
        store: ModelStore,
        *,
        owner: str,
        nonce: Nonce,
        chance: Random,
        weather: Callable[[], Weather],
        gates: Gates,
    ) -> None:
        super().__init__(store, owner=owner, nonce=nonce)
        self._chance = chance
        self._weather = weather
        self._gates = gates

    async def all(self) -> AllRecords:
        """See Records."""
        return await self._reached(self._read_all)

    async def cell(self, cell: str) -> CellRecord | None:
        """See Records."""
        return await self._reached(lambda: read_cell(self._store, cell))

    async def deployment(self) -> DeploymentRecord:
        """See Records."""
        return await self._reached(lambda: read_deployment(self._store, owner=self._owner))

    async def create(self, cell: str, record: CellRecord) -> CellRecord:
        """See Records."""
        return await self._reached(lambda: create_cell(self._store, cell, record, nonce=self._nonce))

    async def change(self, cell: str, transition: Callable[[CellRecord], Outcome], *, uid: str) -> Outcome:
        """See Records."""
        owned = Owned(owner=self._owner, uid=uid)
        await self._gates.passed(f"change {cell} {getattr(transition, '__qualname__', 'partial')}")
        return await self._reached(
            lambda: change_cell(self._store, cell, transition, owned=owned, nonce=self._nonce)
        )

    async def change_deployment(
        self, transition: Callable[[DeploymentRecord], DeploymentRecord | None]
    ) -> DeploymentRecord | None:
        """See Records."""
        return await self._reached(
            lambda: change_deployment(self._store, transition, owner=self._owner, nonce=self._nonce)
        )

    async def _reached(self, call: Callable[[], T]) -> T:
        weather = self._weather()
        stalls = self._chance.random() < weather.stall
        await asyncio.sleep((weather.stall_seconds if stalls else weather.store_seconds).drawn(self._chance))
        try:
            return call()
        finally:
            await asyncio.sleep(self._weather().store_seconds.drawn(self._chance))
