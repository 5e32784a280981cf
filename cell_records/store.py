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


class RecordStore(Protocol):
    """Linearizable compare-and-set on small texts; every method may raise StoreUnavailable."""

    def read(self, key: str) -> Stored | None:
        """The text of a key, or None if there is none."""

    def read_all(self) -> Mapping[str, Stored]:
        """Every key with its text."""

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """Write `text` if the version is still `expected` (None: if the key does not exist); gives the new
        version.

        Raises Conflict, or StoreUnavailable when the outcome is unknown.
        """

    def remove(self, key: str, *, expected: int) -> None:
        """Remove a key whose version is still `expected`; a text that is put there later has a version never seen before.

        Raises Conflict, or StoreUnavailable when the outcome is unknown.
        """
