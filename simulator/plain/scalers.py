"""PURE: who changes the count, and when: CREMA's loop, the sample's function, the plain rule that spares jobs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from simulator.assumptions import Assumptions
from simulator.baselines import crema, google_sample, quiescent
from simulator.plain.cloud import Answer, WorkerPool
from simulator.plain.jobs import Jobs
from simulator.virtual_time import VirtualTime

_SWEEP = 60.0
"""Seconds after which the plain rule looks again unasked, as webhooks may be lost: cron's shortest interval."""
_AGAIN = 2.0
"""Seconds after which it repeats a refused write: what a quota of thirty a minute needs for one."""


class Scaler(Protocol):
    """It may look at the count and at what GitHub lists, and write a count; nothing else."""

    def begin(self) -> None:
        """The trace begins."""

    def hear(self, webhook: google_sample.Webhook, /) -> None:
        """A webhook has arrived."""


class CremaLoop:
    """Polls; a poll that changes the count ends with the operation. A write that fails is logged, and the next poll comes.

    It takes a reply that never came for a failure: it does not remember the change that was made. Webhooks it has none.
    """

    def __init__(
        self,
        *,
        time: VirtualTime,
        pool: WorkerPool,
        jobs: Jobs,
        assumptions: Assumptions,
        settings: crema.Settings,
    ) -> None:
        self._time = time
        self._pool = pool
        self._jobs = jobs
        self._settings = replace(settings, most=assumptions.max_runners)
        self._settle = assumptions.settle
        self._state = crema.started(current=pool.count, now=time.now)
        self._tick = 0

    def begin(self) -> None:
        self._wait_for_a_tick()

    def hear(self, _webhook: google_sample.Webhook, /) -> None:
        pass

    def _poll(self) -> None:
        now, current = self._time.now, self._pool.count
        count = self._jobs.listed(now)
        self._state, wanted = crema.step(self._settings, self._state, count=count, current=current, now=now)
        if wanted == current:
            self._wait_for_a_tick()
        else:
            self._pool.write(wanted, partial(self._written, current, wanted, now))

    def _written(self, before: int, after: int, began: float, answer: Answer) -> None:
        if answer is Answer.MADE:
            self._state = crema.changed(self._settings, self._state, before=before, after=after, now=began)
            self._time.after(self._settle, self._wait_for_a_tick)
        else:
            self._wait_for_a_tick()

    def _wait_for_a_tick(self) -> None:
        self._tick, when = crema.next_poll(self._settings, tick=self._tick, ended=self._time.now)
        self._time.at(when, self._poll)


class SampleFunction:
    """One call of a function for each webhook, side by side; one whose write fails is not called again."""

    def __init__(self, *, time: VirtualTime, pool: WorkerPool, jobs: Jobs, assumptions: Assumptions) -> None:
        self._time = time
        self._pool = pool
        self._jobs = jobs
        self._settings = google_sample.Settings(max_runners=assumptions.max_runners)

    def begin(self) -> None:
        pass

    def hear(self, webhook: google_sample.Webhook, /) -> None:
        open_runs = self._jobs.listed(self._time.now)
        wanted = google_sample.next_count(
            self._settings, webhook, count=self._pool.count, open_runs=open_runs
        )
        if wanted is not None:
            self._pool.write(wanted, lambda _: None)


class QuiescentLoop:
    """Looks after each webhook and each minute; one write at a time, then it looks again if something has happened."""

    def __init__(self, *, time: VirtualTime, pool: WorkerPool, jobs: Jobs, assumptions: Assumptions) -> None:
        self._time = time
        self._pool = pool
        self._jobs = jobs
        self._max_runners = assumptions.max_runners
        self._look_again = False
        self._repeats = False

    def begin(self) -> None:
        self._look()
        self._time.after(_SWEEP, self.begin)

    def hear(self, _webhook: google_sample.Webhook, /) -> None:
        self._look()

    def _look(self) -> None:
        if self._pool.under_way:
            self._look_again = True
            return
        open_jobs, count = self._jobs.listed(self._time.now), self._pool.count
        wanted = quiescent.next_count(open_jobs=open_jobs, count=count, max_runners=self._max_runners)
        if wanted != count:
            self._look_again = False
            self._pool.write(wanted, self._written)

    def _written(self, answer: Answer) -> None:
        if answer is Answer.REFUSED:
            if not self._repeats:
                self._repeats = True
                self._time.after(_AGAIN, self._repeat)
        elif self._look_again:
            self._look()

    def _repeat(self) -> None:
        self._repeats = False
        self._look()
