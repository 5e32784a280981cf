"""A record store that is slow, silent or forgetful, as the file beside it says at each moment.

The scaler process is given this instead of its own store (`scaler_program`); the grid writes the file.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from cell_records.errors import StoreUnavailable
from cell_records.store import RecordStore, Stored, StoreLimits

T = TypeVar("T")
Faults = Mapping[str, Mapping[str, float]]


def write_faults(path: Path, faults: Faults) -> None:
    """Switch exactly these on; a reader sees the old set or the new one."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(faults))
    unfinished.replace(path)


class FaultyStore:
    """`inner` with the faults of `path`; each stroke is a line of `<path>.struck`."""

    def __init__(self, inner: RecordStore, path: Path, *, chance: random.Random) -> None:
        self._inner = inner
        self._path = path
        self._struck = path.with_suffix(".struck")
        self._chance = chance

    def __repr__(self) -> str:
        """For messages."""
        return repr(self._inner)

    @property
    def limits(self) -> StoreLimits:
        """See RecordStore."""
        return self._inner.limits

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        return self._done(lambda: self._inner.read(key), is_write=False)

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore."""
        return self._done(self._inner.read_all, is_write=False)

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        return self._done(lambda: self._inner.compare_and_set(key, text, expected=expected), is_write=True)

    def remove(self, key: str, *, expected: int) -> None:
        """See RecordStore."""
        self._done(lambda: self._inner.remove(key, expected=expected), is_write=True)

    def _done(self, act: Callable[[], T], *, is_write: bool) -> T:
        faults: Faults = json.loads(self._path.read_text())
        slow = faults.get("store-slow")
        if slow is not None and self._strikes("store-slow", slow):
            time.sleep(slow["seconds"])
        if "store-down" in faults:
            self._note("store-down")
            raise StoreUnavailable("The record store does not answer: it is down.")
        lost = faults.get("store-request-lost")
        if lost is not None and is_write and self._strikes("store-request-lost", lost):
            raise StoreUnavailable("The record store does not answer: the request was lost.")
        result = act()
        lost = faults.get("store-reply-lost")
        if lost is not None and is_write and self._strikes("store-reply-lost", lost):
            raise StoreUnavailable("The record store does not answer: its reply was lost.")
        return result

    def _strikes(self, fault: str, numbers: Mapping[str, float]) -> bool:
        if self._chance.random() >= numbers["share"]:
            return False
        self._note(fault)
        return True

    def _note(self, fault: str) -> None:
        with self._struck.open("a") as lines:
            lines.write(f"{fault}\n")


def strokes(path: Path) -> Mapping[str, int]:
    """How often each fault of the store has struck."""
    struck = path.with_suffix(".struck")
    lines = struck.read_text().split() if struck.exists() else []
    return {fault: lines.count(fault) for fault in set(lines)}
