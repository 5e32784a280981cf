"""PURE: how things stood each minute, or less often if a run is long."""

from __future__ import annotations

from simulator.outcome import Sample
from simulator.plain.instances import Instances
from simulator.plain.jobs import Jobs
from simulator.virtual_time import VirtualTime

_EVERY = 60.0
_MOST = 2000


class Sampling:
    """Takes a sample each `_EVERY` seconds; with `_MOST` of them, forgets every other one and takes half as many."""

    def __init__(self, time: VirtualTime, instances: Instances, jobs: Jobs) -> None:
        self.samples: list[Sample] = []
        self._time = time
        self._instances = instances
        self._jobs = jobs
        self._every = _EVERY

    def begin(self) -> None:
        """Take one now and let the others follow."""
        self.samples.append(
            Sample(
                at=self._time.now,
                instances=len(self._instances),
                running=self._jobs.running,
                queued=len(self._jobs.queued),
            )
        )
        if len(self.samples) == _MOST:
            # Of an even number the ones that stay begin with the first; the next is due one old interval after the last.
            self.samples = self.samples[::2]
            self._every *= 2
            self._time.at(self.samples[-1].at + self._every, self.begin)
            return
        self._time.after(self._every, self.begin)
