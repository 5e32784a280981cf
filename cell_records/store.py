"""What a store must offer: named texts with versions, written only by compare-and-set.

Keys are `deployment` and `cells/<name of the cell>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

DEPLOYMENT_KEY = "deployment"
CELL_PREFIX = "cells/"


def cell_key(cell: str) -> str:
    """The key of a cell's record."""
    return f"{CELL_PREFIX}{cell}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A text and the version that a compare-and-set must name."""

    text: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """What a store bears. `writes_apart_seconds`: between two writes of one key; `calls_at_once`: of one process, None
    for as many as there are threads.
    """

    writes_apart_seconds: float = 0.0
    calls_at_once: int | None = None


class RecordStore(Protocol):
    """Linearizable compare-and-set on small texts; every method may raise StoreUnavailable."""

    @property
    def limits(self) -> StoreLimits:
        """What it bears; asking for more costs refusals, never a record."""

    def read(self, key: str) -> Stored | None:
        """The text of a key, or None if there is none."""

    def read_all(self) -> Mapping[str, Stored]:
        """Every key with its text, each as it stood at some moment of this call."""

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """Write `text` if the version is still `expected` (None: if the key does not exist); gives the new
        version.

        Raises Conflict, or StoreUnavailable when the outcome is unknown; StoreBusy, if the store asks for a pause.
        """

    def remove(self, key: str, *, expected: int) -> None:
        """Remove a key whose version is still `expected`; a text that is put there later has a version never seen before.

        Raises Conflict, or StoreUnavailable when the outcome is unknown.
        """
