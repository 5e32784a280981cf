"""Apply pure transitions to a stored record by compare-and-set, and know afterwards whether they were made.

A change goes attempt by attempt; whoever drives it waits in between (`patience`): `change_cell` and `change_deployment`
with threads and a sleep, the scaler in its event loop (`scaler.gathering`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from cell_records.codec import cell_record, cell_text, deployment_record, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.errors import Conflict, StoreBusy, StoreRefused, StoreUnavailable
from cell_records.patience import Again, Patience
from cell_records.record import CellRecord, Outcome, Refusal, Refused
from cell_records.store import DEPLOYMENT_KEY, RecordStore, Stored, cell_key

Nonce = Callable[[], str]
DeploymentTransition = Callable[[DeploymentRecord], DeploymentRecord | None]

T = TypeVar("T")


class Decode(Protocol):
    """What makes a record of a stored text."""

    def __call__(self, text: str, *, key: str) -> CellRecord:
        """The record. Raises RecordUnreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Whose record it must be; one of another deployment or of a deleted worker pool is never touched."""

    owner: str
    uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWish:
    """One change that somebody wants of a cell's record."""

    transition: Callable[[CellRecord], Outcome]
    owned: Owned


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """An attempt that has come to its end. `outcomes`: one for each wish; `wrote`: whether anything was written."""

    outcomes: list[T]
    wrote: bool


class Change(Protocol[T]):
    """Changes of one record that are made together by one compare-and-set, or not at all."""

    @property
    def key(self) -> str:
        """The record's key."""

    def attempt(self) -> Settled[T] | Again:
        """Read, decide, write. Raises RecordUnreadable, and StoreUnavailable when not even reading works."""


class CellChange:
    """Wishes for one cell's record, applied one after the other and written at once.

    Each wish's outcome is the record as it stands after it, or why it may not be made; all of them hold from the moment of
    the write, and none before. A write whose outcome is unknown is looked up by its nonce. Refusals that nothing else
    in the batch could have changed need no write.
    """

    def __init__(
        self,
        store: RecordStore,
        cell: str,
        wishes: Sequence[CellWish],
        *,
        nonce: str,
        decode: Decode = cell_record,
    ) -> None:
        """`nonce`: a text that no other write has."""
        self.key = cell_key(cell)
        self._store = store
        self._wishes = wishes
        self._nonce = nonce
        self._decode = decode
        self._written: list[Outcome] = []

    def attempt(self) -> Settled[Outcome] | Again:
        """See Change."""
        stored = self._store.read(self.key)
        if stored is None:
            return Settled([Refused(reason=Refusal.NO_RECORD) for _ in self._wishes], wrote=False)
        before = self._decode(stored.text, key=self.key)
        if self._written and before.op_nonce == self._nonce:
            # What stands was decided on the very version that the last attempt has read, so its outcomes hold.
            return Settled(self._written, wrote=True)
        record, outcomes = before, list[Outcome]()
        for wish in self._wishes:
            outcome = _granted(record, wish)
            if isinstance(outcome, CellRecord) and outcome != record:
                record = outcome = replace(outcome, op_nonce=self._nonce)
            outcomes.append(outcome)
        if record == before:
            return Settled(outcomes, wrote=False)
        self._written = outcomes
        again = _set(self._store, self.key, cell_text(record), stored)
        return Settled(outcomes, wrote=True) if again is None else again


class DeploymentChange:
    """Changes of the deployment's record, which is created at the first use; None for one that declines."""

    key = DEPLOYMENT_KEY

    def __init__(
        self, store: RecordStore, wishes: Sequence[DeploymentTransition], *, owner: str, nonce: str
    ) -> None:
        """`nonce`: a text that no other write has."""
        self._store = store
        self._wishes = wishes
        self._owner = owner
        self._nonce = nonce
        self._written: list[DeploymentRecord | None] = []

    def attempt(self) -> Settled[DeploymentRecord | None] | Again:
        """See Change."""
        stored = self._store.read(self.key)
        before = _deployment(stored, owner=self._owner)
        if self._written and before.op_nonce == self._nonce:
            return Settled(self._written, wrote=True)
        record, outcomes = before, list[DeploymentRecord | None]()
        for wish in self._wishes:
            outcome = wish(record) if record.owner == self._owner else None
            if outcome is not None and outcome != record:
                record = outcome = replace(outcome, op_nonce=self._nonce)
            outcomes.append(outcome)
        if record == before:
            return Settled(outcomes, wrote=False)
        self._written = outcomes
        again = _set(self._store, self.key, deployment_text(record), stored)
        return Settled(outcomes, wrote=True) if again is None else again


def read_cell(store: RecordStore, cell: str, *, decode: Decode = cell_record) -> CellRecord | None:
    """The record of a cell, or None. Raises RecordUnreadable, StoreUnavailable."""
    stored = store.read(cell_key(cell))
    return None if stored is None else decode(stored.text, key=cell_key(cell))


def create_cell(store: RecordStore, cell: str, record: CellRecord, *, nonce: Nonce) -> CellRecord:
    """Store the first record of a cell; if somebody was quicker, theirs stands and is given back."""
    record = replace(record, op_nonce=nonce())
    try:
        store.compare_and_set(cell_key(cell), cell_text(record), expected=None)
    except Conflict:
        standing = read_cell(store, cell)
        return record if standing is None else standing
    return record


def change_cell(
    store: RecordStore,
    cell: str,
    transition: Callable[[CellRecord], Outcome],
    *,
    owned: Owned,
    nonce: Nonce,
    decode: Decode = cell_record,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> Outcome:
    """Make one change of a cell's record, as often as others are quicker.

    Gives the record as it stands after the change, or why it may not be made. Raises RecordUnreadable, and StoreUnavailable
    when it cannot be found out whether a write was made, or the store asks for more pauses than are good.
    """
    wish = CellWish(transition=transition, owned=owned)
    change = CellChange(store, cell, [wish], nonce=nonce(), decode=decode)
    return _driven(change, sleep=sleep, chance=chance)


def remove_cell(
    store: RecordStore,
    cell: str,
    *,
    owned: Owned,
    when: Callable[[CellRecord], bool],
    decode: Decode = cell_record,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> bool:
    """Remove the record of a cell while `when` holds of it; whether there is none now. Raises as `change_cell`."""
    key = cell_key(cell)
    patience = Patience(key, chance=chance)
    while (stored := store.read(key)) is not None:
        record = decode(stored.text, key=key)
        if record.owner != owned.owner or owned.uid not in (None, record.uid) or not when(record):
            return False
        try:
            store.remove(key, expected=stored.version)
        except Conflict:
            again = Again.BEATEN
        except StoreBusy:
            again = Again.BUSY
        except StoreRefused:
            raise
        except StoreUnavailable:
            again = Again.UNKNOWN
        else:
            return True
        sleep(patience.seconds_before_next(again))
    return True


def change_deployment(
    store: RecordStore,
    transition: DeploymentTransition,
    *,
    owner: str,
    nonce: Nonce,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> DeploymentRecord | None:
    """Make one change of the deployment's record, which is created at the first use; None if the transition
    declines. Raises as `change_cell`.
    """
    change = DeploymentChange(store, [transition], owner=owner, nonce=nonce())
    return _driven(change, sleep=sleep, chance=chance)


def read_deployment(store: RecordStore, *, owner: str) -> DeploymentRecord:
    """The deployment's record, or an empty one. Raises RecordUnreadable, StoreUnavailable."""
    return _deployment(store.read(DEPLOYMENT_KEY), owner=owner)


def _driven(change: Change[T], *, sleep: Callable[[float], None], chance: Callable[[], float]) -> T:
    """The outcome of a change with one wish."""
    patience = Patience(change.key, chance=chance)
    while isinstance(end := change.attempt(), Again):
        seconds = patience.seconds_before_next(end)
        if seconds > 0:
            sleep(seconds)
    return end.outcomes[0]


def _granted(record: CellRecord, wish: CellWish) -> Outcome:
    if record.owner != wish.owned.owner or wish.owned.uid not in (None, record.uid):
        return Refused(reason=Refusal.FOREIGN)
    return wish.transition(record)


def _deployment(stored: Stored | None, *, owner: str) -> DeploymentRecord:
    if stored is None:
        return DeploymentRecord(owner=owner)
    return deployment_record(stored.text, key=DEPLOYMENT_KEY)


def _set(store: RecordStore, key: str, text: str, stored: Stored | None) -> Again | None:
    """None when this write is known to have been made; else the next attempt reads, and finds the nonce if it was."""
    try:
        store.compare_and_set(key, text, expected=None if stored is None else stored.version)
    except Conflict:
        return Again.BEATEN
    except StoreBusy:
        return Again.BUSY
    except StoreRefused:
        raise
    except StoreUnavailable:
        return Again.UNKNOWN
    return None
