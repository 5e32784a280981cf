"""What can go wrong with records, and whether it is known what happened.

RecordError
├── RecordUnreadable   what stands there is not ours to interpret: nothing may start, nothing may be lowered
├── StoreUnavailable   the store did not answer; after a write it is not known whether it was made
│   ├── StoreBusy      it answered that it is too much for now: pause, then read again
│   └── StoreRefused   no credentials, no right or no such place: nothing was written, and trying again cures nothing
├── Conflict           somebody else changed the record first; read again
└── BadStore           the setting that names the store makes no sense
"""

from __future__ import annotations


class RecordError(Exception):
    """Root of this package's errors."""


class RecordUnreadable(RecordError):
    """A record that cannot be interpreted."""

    def __init__(self, *, key: str, cause: str) -> None:
        """`key`: which record; `cause`: what does not fit."""
        self.key = key
        super().__init__(
            f"The record {key!r} cannot be read: {cause[:200]}. "
            "It was written by another version or by another hand; its cell is left "
            "untouched until the record is restored."
        )


class StoreUnavailable(RecordError):
    """The store did not answer; the outcome of a write is unknown."""


class StoreBusy(StoreUnavailable):
    """The store asks for a pause. Most such writes were not made, but only reading again tells."""


class StoreRefused(StoreUnavailable):
    """The store does not let this program in, or is not there. Nothing was written."""


class Conflict(RecordError):
    """The stored version is not the expected one."""


class BadStore(RecordError):
    """The setting that names the store is wrong."""
