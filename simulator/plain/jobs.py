"""PURE: the jobs of a trace in a world: queued, running, over; and what GitHub lists of them."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from enum import Enum

from simulator.trace import TraceJob


class Ending(Enum):
    """How a job ended."""

    COMPLETED = "by itself"
    KILLED = "its instance was a victim of a lower count"
    LOST = "its instance was pre-empted"


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One job of the trace; `began` is None until it runs."""

    of: TraceJob
    began: float | None = None


class Jobs:
    """All jobs that were queued so far. `listed_for` is how long a started job is still listed as queued, in seconds."""

    def __init__(self, *, listed_for: float = 0.0) -> None:
        self.queued: deque[Job] = deque()
        self.running = 0
        self.waits: list[float] = []
        self.ended = dict.fromkeys(Ending, 0)
        self._listed_for = listed_for
        self._listed_until: list[float] = []

    def queue(self, job: TraceJob) -> Job:
        """A job is queued."""
        queued = Job(of=job)
        self.queued.append(queued)
        return queued

    def begin_oldest(self, now: float) -> Job:
        """The job queued first begins. IndexError if none is queued."""
        job = self.queued.popleft()
        job.began = now
        self.running += 1
        self.waits.append(now - job.of.queued_at)
        return job

    def end(self, job: Job, ending: Ending, now: float) -> None:
        """A running job ends."""
        self.running -= 1
        self.ended[ending] += 1
        if job.began is not None and job.began + self._listed_for > now:
            heapq.heappush(self._listed_until, job.began + self._listed_for)

    def listed(self, now: float) -> int:
        """How many jobs GitHub lists as queued or in progress.

        A started job that is still listed as queued counts once, as it does when listed in progress; so a lagging list
        changes the number only by jobs that are over before the list knows that they began.
        """
        while self._listed_until and self._listed_until[0] <= now:
            heapq.heappop(self._listed_until)
        return len(self.queued) + self.running + len(self._listed_until)
