"""PURE: one worker pool as the Admin API shows it: a count that is written, a quota of writes, a quota of CPU."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from random import Random

from simulator.assumptions import Assumptions
from simulator.faults import Faults
from simulator.plain.bucket import Bucket
from simulator.plain.instances import Instances
from simulator.virtual_time import VirtualTime


class Answer(Enum):
    """What the caller of a write learns."""

    MADE = "the operation has begun"
    REFUSED = "429, nothing was changed"
    UNANSWERED = "nothing; but the count was changed"


class WorkerPool:
    """`count` is what is configured, not what runs. A write takes effect, and is answered, `write` seconds after its call."""

    def __init__(
        self,
        *,
        time: VirtualTime,
        instances: Instances,
        assumptions: Assumptions,
        faults: Faults,
        chance: Random,
    ) -> None:
        self.count = 0
        self.writes = 0
        self.lowering_writes = 0
        self.under_way = 0
        self.changed_at = time.now
        self._time = time
        self._instances = instances
        self._given = assumptions
        self._faults = faults
        self._chance = chance
        self._bucket = Bucket(assumptions.writes_per_minute)
        for span in faults.refusing:
            time.at(span.ends, self._fill)

    def write(self, count: int, answered: Callable[[Answer], None]) -> None:
        """Ask for a count; `answered` is called with what came of it."""
        self.under_way += 1
        self._time.after(self._given.write, partial(self._arrive, count, answered))

    def _arrive(self, count: int, answered: Callable[[Answer], None]) -> None:
        self.under_way -= 1
        if self._chance.random() < self._faults.writes_refused or not self._bucket.take(self._time.now):
            answered(Answer.REFUSED)
            return
        self.writes += 1
        self._set(count)
        lost = self._chance.random() < self._faults.writes_unanswered
        answered(Answer.UNANSWERED if lost else Answer.MADE)

    def _set(self, count: int) -> None:
        if count != self.count:
            self.changed_at = self._time.now
        if count < self.count:
            self.lowering_writes += 1
        self.count = count
        self._instances.stop_some(max(0, len(self._instances) - count))
        self._fill()

    def _fill(self) -> None:
        """Instances come up to the count, as far as the region has CPU for them. Those that are there stay."""
        now = self._time.now
        allowed = [span.instances for span in self._faults.refusing if span.begins <= now < span.ends]
        self._instances.add(max(0, min([self.count, *allowed]) - len(self._instances)))
