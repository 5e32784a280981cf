"""A store in memory whose next answers can be spoilt: replies lost after a write, writes refused, others quicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum

from cell_records.errors import Conflict, StoreUnavailable
from cell_records.store import Stored, StoreLimits


class Spoil(Enum):
    """What happens to one write."""

    LOSE_REPLY = "it is made, and the reply is lost"
    LOSE_REQUEST = "it is not made, and that is not known"


class ForgetfulStore:
    """Compare-and-set in a dictionary. `spoils`: what happens to the next writes; `before_write` runs once, first."""

    limits = StoreLimits()

    def __init__(self) -> None:
        self.texts: dict[str, Stored] = {}
        self.spoils: deque[Spoil] = deque()
        self.before_write: deque[Callable[[], object]] = deque()
        self.reads_fail = 0
        self.writes = 0
        self._removed: dict[str, int] = {}

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        if self.reads_fail:
            self.reads_fail -= 1
            raise StoreUnavailable("the read was lost")
        return self.texts.get(key)

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore."""
        return dict(self.texts)

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        if self.before_write:
            self.before_write.popleft()()
        self.writes += 1
        spoil = self.spoils.popleft() if self.spoils else None
        if spoil is Spoil.LOSE_REQUEST:
            raise StoreUnavailable("the request was lost")
        stands = self.texts.get(key)
        if (None if stands is None else stands.version) != expected:
            raise Conflict(f"{key} is not at version {expected}")
        version = self._removed.get(key, 0) + 1 if expected is None else expected + 1
        self.texts[key] = Stored(text, version)
        if spoil is Spoil.LOSE_REPLY:
            raise StoreUnavailable("the reply was lost")
        return version

    def remove(self, key: str, *, expected: int) -> None:
        """See RecordStore."""
        stands = self.texts.get(key)
        if stands is None or stands.version != expected:
            raise Conflict(f"{key} is not at version {expected}")
        self._removed[key] = expected + 1
        del self.texts[key]
