"""Apply a pure transition to a stored record by compare-and-set, and know afterwards whether it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from cell_records.codec import cell_record, cell_text, deployment_record, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.errors import Conflict, StoreUnavailable
from cell_records.record import CellRecord, Outcome, Refusal, Refused
from cell_records.store import DEPLOYMENT_KEY, RecordStore, Stored, cell_key

# Losing this many races in a row means that something writes in a loop; giving up lets the caller ask again
# later.
ATTEMPTS = 16

Nonce = Callable[[], str]


class Decode(Protocol):
    """What makes a record of a stored text."""

    def __call__(self, text: str, *, key: str) -> CellRecord:
        """The record. Raises RecordUnreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Whose record it must be; one of another deployment or of a deleted worker pool is never touched."""

    owner: str
    uid: str | None = None


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
) -> Outcome:
    """Make one change of a cell's record, as often as others are quicker.

    Gives the record as it stands after the change, or why it may not be made. A write whose outcome is
    unknown is looked up by its nonce. Raises RecordUnreadable, and StoreUnavailable when even that look-up
    fails.
    """
    key, mine = cell_key(cell), nonce()
    stored = store.read(key)
    for _ in range(ATTEMPTS):
        if stored is None:
            return Refused(reason=Refusal.NO_RECORD)
        record = decode(stored.text, key=key)
        if record.op_nonce == mine:
            return record
        if record.owner != owned.owner or owned.uid not in (None, record.uid):
            return Refused(reason=Refusal.FOREIGN)
        wanted = transition(record)
        if isinstance(wanted, Refused) or wanted == record:
            return wanted
        wanted = replace(wanted, op_nonce=mine)
        if _was_set(store, key, cell_text(wanted), stored):
            return wanted
        stored = store.read(key)
    raise StoreUnavailable(
        f"The record {key!r} was changed by others {ATTEMPTS} times in a row; try again later."
    )


def remove_cell(
    store: RecordStore,
    cell: str,
    *,
    owned: Owned,
    when: Callable[[CellRecord], bool],
    decode: Decode = cell_record,
) -> bool:
    """Remove the record of a cell while `when` holds of it; whether there is none now.

    Raises RecordUnreadable, and StoreUnavailable, after which it may be there or not.
    """
    key = cell_key(cell)
    for _ in range(ATTEMPTS):
        stored = store.read(key)
        if stored is None:
            return True
        record = decode(stored.text, key=key)
        if record.owner != owned.owner or owned.uid not in (None, record.uid) or not when(record):
            return False
        try:
            store.remove(key, expected=stored.version)
        except Conflict:
            continue
    raise StoreUnavailable(
        f"The record {key!r} was changed by others {ATTEMPTS} times in a row; try again later."
    )


def change_deployment(
    store: RecordStore,
    transition: Callable[[DeploymentRecord], DeploymentRecord | None],
    *,
    owner: str,
    nonce: Nonce,
) -> DeploymentRecord | None:
    """Make one change of the deployment's record, which is created at the first use; None if the transition
    declines.
    """
    mine = nonce()
    for _ in range(ATTEMPTS):
        stored = store.read(DEPLOYMENT_KEY)
        record = (
            DeploymentRecord(owner=owner)
            if stored is None
            else deployment_record(stored.text, key=DEPLOYMENT_KEY)
        )
        if record.op_nonce == mine:
            return record
        wanted = transition(record) if record.owner == owner else None
        if wanted is None or wanted == record:
            return wanted
        wanted = replace(wanted, op_nonce=mine)
        if _was_set(store, DEPLOYMENT_KEY, deployment_text(wanted), stored):
            return wanted
    raise StoreUnavailable(
        f"The deployment's record was changed by others {ATTEMPTS} times in a row; try again later."
    )


def read_deployment(store: RecordStore, *, owner: str) -> DeploymentRecord:
    """The deployment's record, or an empty one. Raises RecordUnreadable, StoreUnavailable."""
    stored = store.read(DEPLOYMENT_KEY)
    return (
        DeploymentRecord(owner=owner)
        if stored is None
        else deployment_record(stored.text, key=DEPLOYMENT_KEY)
    )


def _was_set(store: RecordStore, key: str, text: str, stored: Stored | None) -> bool:
    """Whether this write is known to have been made; on False the caller reads again and finds its nonce if
    it was.
    """
    try:
        store.compare_and_set(key, text, expected=None if stored is None else stored.version)
    except (Conflict, StoreUnavailable):
        return False
    return True
