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


class RecordElsewhere(RecordUnreadable):
    """A record of a worker pool in another project or region: what is not there here says nothing about it."""

    def __init__(self, *, key: str, location: str, here: str) -> None:
        """`key`: which record; `location`, `here`: where its worker pool is, and where this program looks."""
        self.key = key
        RecordError.__init__(
            self,
            f"The record {key!r} is of a worker pool in {location}, and this configuration is about {here}: the project or the "
            "region was changed, or two deployments share these records. The cell and its jobs are left untouched. Name the "
            "old project and region again, or give the new ones a place of their own for records.",
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
